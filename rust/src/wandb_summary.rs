//! Owns the summary: of two records a step only the last value of each path is kept.

use std::collections::BTreeMap;

use crate::protobuf::{Fields, Malformed, Wire};
use crate::wandb_keys::{ItemValue, Keys};
use crate::wandb_rows::{Sink, json_of};

/// A path, and its last value as JSON; None where it was removed.
pub type LastValue = (Vec<String>, Option<String>);

#[derive(Default)]
struct Last {
    json: Vec<u8>,
    is_removed: bool,
    /// Which item of the scan it was: of a path and one below it the later counts.
    turn: u64,
    record: (u64, u64),
}

/// The last value of each path, as bytes until somebody asks.
#[derive(Default)]
pub struct Summary {
    keys: Keys,
    last: Vec<Last>,
    turn: u64,
}

impl Summary {
    /// Takes a record's updates and removals in; true if it holds something else besides.
    pub fn take(&mut self, message: &[u8], sink: &mut Sink) -> Result<bool, Malformed> {
        let mut is_odd = false;
        // A malformed record must change nothing, so it is walked before it is believed.
        for field in Fields::new(message) {
            match field? {
                (1 | 2, Wire::Bytes(item)) => {
                    Fields::new(item).try_for_each(|part| part.map(drop))?
                }
                (200, Wire::Bytes(_)) => {}
                _ => is_odd = true,
            }
        }
        self.keys.begin_row();
        for field in Fields::new(message) {
            if let (number @ (1 | 2), Wire::Bytes(item)) = field? {
                is_odd |= self.item(number == 2, item, sink)?;
            }
        }
        Ok(is_odd)
    }

    #[inline]
    fn item(&mut self, is_removed: bool, item: &[u8], sink: &mut Sink) -> Result<bool, Malformed> {
        let item = self.keys.take(item)?;
        if item.slot == self.last.len() {
            self.last.push(Last::default());
        }
        let last = &mut self.last[item.slot];
        self.turn += 1;
        last.turn = self.turn;
        last.record = sink.record;
        last.is_removed = is_removed;
        last.json.clear();
        match item.value {
            ItemValue::Json(json) => last.json.extend_from_slice(json),
            ItemValue::Missing => return Ok(item.is_odd || !is_removed),
            typed => last
                .json
                .extend_from_slice(&json_of(typed, sink).unwrap_or_default()),
        }
        Ok(item.is_odd)
    }

    /// The tree that the updates have made, leaf by leaf, sorted by path.
    pub fn last_values(&self, sink: &mut Sink) -> Vec<LastValue> {
        let mut tree: BTreeMap<Vec<String>, Option<String>> = BTreeMap::new();
        let mut slots: Vec<usize> = (0..self.last.len()).collect();
        slots.sort_by_key(|slot| self.last[*slot].turn);
        for slot in slots {
            let last = &self.last[slot];
            sink.record = last.record;
            let elements = self.keys.path(slot).into_iter();
            let path: Vec<String> = elements.map(|name| sink.text(name).into_owned()).collect();
            let value = if last.is_removed {
                None
            } else {
                Some(sink.checked(&last.json))
            };
            let Some(value) = value.map_or(Some(None), |text| text.map(Some)) else {
                continue; // no JSON, and reported as such
            };
            replace(&mut tree, path, value);
        }
        tree.into_iter().collect()
    }
}

/// A later value stands in place of what was above or below it.
fn replace(
    tree: &mut BTreeMap<Vec<String>, Option<String>>,
    path: Vec<String>,
    value: Option<String>,
) {
    for length in 1..path.len() {
        tree.remove(&path[..length]);
    }
    let below = tree
        .range(path.clone()..)
        .take_while(|(other, _)| other.starts_with(&path));
    let below: Vec<_> = below.map(|(other, _)| other.clone()).collect();
    for other in below {
        tree.remove(&other);
    }
    tree.insert(path, value);
}
