//! Owns which tag a series has in an event file, and what has been said of it there.

use std::collections::{HashMap, HashSet};

use crate::protobuf::writing::bytes;
use crate::tensorboard::fields::value;
use crate::tensorboard::plugin::Shown;

/// What stands before tags that only we give; no series may be called so.
const OURS: &str = "runferry/";

/// The tags of one file. A reader knows a tag by the plugin of its first value, so rows that another
/// plugin shows get a tag of their own: `runferry/<plugin>/<key>`.
#[derive(Default)]
pub struct Tags {
    plugins: HashMap<String, String>,
    described: HashMap<String, Facts>,
    met: HashSet<String>,
}

/// What the metadata of a tag say besides its plugin.
#[derive(Default)]
pub struct Facts {
    /// `PluginData.content`
    pub content: Vec<u8>,
    /// Display name and description, spelled.
    pub facts: Vec<u8>,
    /// Of a text that is one element.
    pub shape: Vec<u64>,
}

/// How a value of one series begins and, if it is the first of its tag, ends.
pub struct Spelled {
    /// The field `Value.tag`.
    pub tag: Vec<u8>,
    /// The field `Value.metadata`, until it was written.
    pub metadata: Vec<u8>,
    /// Of a text that is one element.
    pub shape: Vec<u64>,
}

impl Tags {
    /// `known` is what the file says already: plugins by tag.
    pub fn new(known: HashMap<String, String>) -> Self {
        let met = known.keys().cloned().collect();
        Self {
            plugins: known,
            described: HashMap::new(),
            met,
        }
    }

    /// What else the metadata of this tag say.
    pub fn describe(&mut self, tag: String, facts: Facts) {
        self.described.insert(tag, facts);
    }

    /// The tag under which this plugin shows a series, and whether it has no value yet.
    pub fn tag_of(&mut self, key: &str, plugin: &str) -> (String, bool) {
        let tag = match self.plugins.get(key) {
            Some(taken) if taken != plugin => format!("{OURS}{plugin}/{key}"),
            Some(_) => key.to_owned(),
            None => {
                self.plugins.insert(key.to_owned(), plugin.to_owned());
                key.to_owned()
            }
        };
        let is_first = self.met.insert(tag.clone());
        (tag, is_first)
    }

    pub fn spelled(&mut self, key: &str, plugin: Shown) -> Spelled {
        let (tag, is_first) = self.tag_of(key, plugin.name());
        let mut spelled = Spelled {
            tag: Vec::with_capacity(tag.len() + 4),
            metadata: Vec::new(),
            shape: Vec::new(),
        };
        bytes(&mut spelled.tag, value::TAG, tag.as_bytes());
        let none = Facts::default();
        let facts = self.described.get(&tag).unwrap_or(&none);
        if facts.shape.iter().all(|size| *size == 1) {
            spelled.shape.clone_from(&facts.shape);
        }
        if is_first {
            let metadata = plugin.metadata(&facts.content, &facts.facts);
            bytes(&mut spelled.metadata, value::METADATA, &metadata);
        }
        spelled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_belongs_to_the_plugin_of_its_first_value() {
        let mut tags = Tags::default();
        let own = |key: &str, is_first| (key.to_owned(), is_first);
        assert_eq!(tags.tag_of("loss", "scalars"), own("loss", true));
        assert_eq!(tags.tag_of("loss", "text"), own("runferry/text/loss", true));
        assert_eq!(tags.tag_of("loss", "scalars"), own("loss", false));
        let known = HashMap::from([("loss".to_owned(), "text".to_owned())]);
        let mut later = Tags::new(known);
        assert_eq!(later.tag_of("loss", "text"), own("loss", false));
        assert_eq!(
            later.tag_of("loss", "scalars"),
            own("runferry/scalars/loss", true)
        );
    }

    #[test]
    fn metadata_comes_with_the_first_value_only() {
        let mut tags = Tags::default();
        let facts = Facts {
            content: b"told".to_vec(),
            facts: Vec::new(),
            shape: vec![1],
        };
        tags.describe("loss".to_owned(), facts);
        let described = tags.spelled("loss", Shown::Scalars).metadata;
        assert!(described.windows(4).any(|part| part == b"told"));
        let again = tags.spelled("loss", Shown::Scalars);
        assert!(again.metadata.is_empty());
        assert_eq!(again.shape, [1]);
        let plain = tags.spelled("accuracy", Shown::Scalars).metadata;
        assert!(plain.windows(7).any(|part| part == b"scalars"));
    }
}
