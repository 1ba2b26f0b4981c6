//! Owns the tags of an event file: which series a value belongs to, and what its metadata say.
//!
//! Metadata may come with the first value of a tag only, so that it is remembered. Tags come in
//! cycles: the one that followed last time is looked at first.

use std::collections::HashMap;

use crate::protobuf::Malformed;
use crate::tensorboard::metadata::Metadata;
use crate::tensorboard::plugin::Role;

/// A series as it is told: tag, plugin, and what else its metadata say.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesName {
    pub tag: Vec<u8>,
    pub plugin: Vec<u8>,
    pub display_name: Vec<u8>,
    pub description: Vec<u8>,
    pub data_class: i32,
    pub content: Vec<u8>,
    pub node_name: Vec<u8>,
    /// The dimensions of its first value, if that is a text with any.
    pub text_shape: Vec<u64>,
}

impl SeriesName {
    fn has_bad_text(&self) -> bool {
        let texts = [&self.tag, &self.plugin, &self.display_name];
        let more = [&self.description, &self.node_name];
        let mut texts = texts.into_iter().chain(more);
        texts.any(|text| str::from_utf8(text).is_err())
    }
}

/// A tag with one set of metadata.
#[derive(Debug)]
pub struct Series {
    pub name: SeriesName,
    pub role: Role,
    /// Its number, once it has a row.
    number: Option<i32>,
    /// The metadata as they stand in the file; None if there were none.
    metadata: Option<Box<[u8]>>,
}

struct Tag {
    name: Box<[u8]>,
    /// The series that values without metadata belong to.
    current: usize,
    /// The tag that came after it last time.
    next: usize,
}

/// All series of a scan.
#[derive(Default)]
pub struct SeriesTable {
    tags: Vec<Tag>,
    by_name: HashMap<Box<[u8]>, usize, foldhash::fast::RandomState>,
    series: Vec<Series>,
    by_metadata: HashMap<(usize, Box<[u8]>), usize>,
    last: usize,
    /// Series by number.
    numbered: Vec<usize>,
    handed_out: usize,
    /// A series that was numbered since this was last set to false has a name that is no UTF-8.
    pub has_bad_text: bool,
}

impl SeriesTable {
    /// The series of a value, by its tag and, if it has them, its metadata.
    #[inline]
    pub fn find(&mut self, tag: &[u8], metadata: Option<&[u8]>) -> Result<usize, Malformed> {
        let guess = self.tags.get(self.last).map_or(0, |last| last.next);
        let place = match self.tags.get(guess) {
            Some(known) if *known.name == *tag => guess,
            _ => self.look_up(tag),
        };
        self.last = place;
        let current = self.tags[place].current;
        match metadata {
            None => Ok(current),
            Some(given) if self.series[current].metadata.as_deref() == Some(given) => Ok(current),
            Some(given) => self.change(place, given),
        }
    }

    #[inline(never)]
    fn look_up(&mut self, tag: &[u8]) -> usize {
        let place = match self.by_name.get(tag) {
            Some(place) => *place,
            None => self.add_tag(tag, b""),
        };
        self.tags[self.last].next = place;
        place
    }

    /// A tag that was not seen before, of a plugin that is known from elsewhere.
    pub fn add_tag(&mut self, tag: &[u8], plugin: &[u8]) -> usize {
        let place = self.tags.len();
        let metadata = Metadata {
            plugin,
            ..Metadata::default()
        };
        self.tags.push(Tag {
            name: tag.into(),
            current: self.series.len(),
            next: place,
        });
        self.by_name.insert(tag.into(), place);
        self.add_series(tag, plugin, &metadata, None);
        place
    }

    fn add_series(
        &mut self,
        tag: &[u8],
        plugin: &[u8],
        metadata: &Metadata<'_>,
        raw: Option<&[u8]>,
    ) {
        self.series.push(Series {
            name: SeriesName {
                tag: tag.into(),
                plugin: plugin.into(),
                display_name: metadata.display_name.into(),
                description: metadata.description.into(),
                data_class: metadata.data_class,
                content: metadata.content.into(),
                node_name: metadata.node_name.into(),
                text_shape: Vec::new(),
            },
            role: Role::of(plugin),
            number: None,
            metadata: raw.map(Into::into),
        });
    }

    #[inline(never)]
    fn change(&mut self, place: usize, raw: &[u8]) -> Result<usize, Malformed> {
        if let Some(known) = self.by_metadata.get(&(place, raw.into())) {
            self.tags[place].current = *known;
            return Ok(*known);
        }
        let metadata = Metadata::of(raw)?;
        let current = &self.series[self.tags[place].current];
        let plugin = match metadata.plugin {
            b"" => current.name.plugin.clone(),
            given => given.into(),
        };
        let tag = self.tags[place].name.clone();
        let added = self.series.len();
        self.add_series(&tag, &plugin, &metadata, Some(raw));
        self.by_metadata.insert((place, raw.into()), added);
        self.tags[place].current = added;
        Ok(added)
    }

    /// The series of a tag and metadata that no other value is to be remembered by.
    pub fn find_apart(&mut self, tag: &[u8], metadata: &[u8]) -> Result<usize, Malformed> {
        let place = match self.by_name.get(tag) {
            Some(place) => *place,
            None => self.add_tag(tag, b""),
        };
        let current = self.tags[place].current;
        let found = self.change(place, metadata);
        self.tags[place].current = current;
        found
    }

    #[inline]
    pub fn role(&self, series: usize) -> Role {
        self.series[series].role
    }

    pub fn name(&self, series: usize) -> &SeriesName {
        &self.series[series].name
    }

    /// The number that its rows have.
    #[inline]
    pub fn number(&mut self, series: usize) -> i32 {
        match self.series[series].number {
            Some(number) => number,
            None => self.add_number(series),
        }
    }

    /// The number that rows of a text have, the first of which has this shape.
    pub fn number_of_text(&mut self, series: usize, shape: &[u64]) -> i32 {
        let text = &mut self.series[series];
        if text.number.is_none() {
            text.name.text_shape = shape.into();
        }
        self.number(series)
    }

    /// The number that it has, or would have if it had a row now.
    pub fn number_to_be(&self, series: usize) -> i32 {
        let next = i32::try_from(self.numbered.len()).unwrap_or(i32::MAX);
        self.series[series].number.unwrap_or(next)
    }

    #[inline(never)]
    fn add_number(&mut self, series: usize) -> i32 {
        let number = i32::try_from(self.numbered.len()).unwrap_or(i32::MAX);
        self.numbered.push(series);
        self.has_bad_text |= self.name(series).has_bad_text();
        self.series[series].number = Some(number);
        number
    }

    /// The series with a first row since this was last asked.
    pub fn take_new(&mut self) -> Vec<SeriesName> {
        let new = &self.numbered[self.handed_out..];
        let names = new
            .iter()
            .map(|series| self.name(*series).clone())
            .collect();
        self.handed_out = self.numbered.len();
        names
    }

    /// Tags with the plugin that values without metadata belong to.
    pub fn plugins(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let plugin = |tag: &Tag| {
            (
                tag.name.to_vec(),
                self.series[tag.current].name.plugin.clone(),
            )
        };
        let plugins = self.tags.iter().map(plugin);
        plugins.filter(|(_, plugin)| !plugin.is_empty()).collect()
    }
}
