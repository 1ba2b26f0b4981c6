//! Owns the summary: of two records a step only the last value of each path is kept.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::protobuf::{Malformed, Wire, take_bytes_field, take_field};
use crate::wandb::keys::{ItemValue, Keys};
use crate::wandb::sink::{Sink, json_of};

/// A path, and its last value as JSON; None where it was removed.
pub type LastValue = (Vec<String>, Option<String>);

/// The tag of an update, field 1 as bytes.
const UPDATE_TAG: u8 = 0x0a;

#[derive(Default)]
struct Value {
    json: Vec<u8>,
    is_removed: bool,
}

#[derive(Default)]
struct Last {
    /// The value, and what the record at work says until all of it was walked, in either order:
    /// what comes becomes what is by turning them round.
    values: [Value; 2],
    is_turned: bool,
    is_touched: bool,
    /// Which item of the scan it was: of a path and one below it the later counts.
    turn: u64,
    record: (u64, u64),
}

impl Last {
    fn value(&self) -> &Value {
        &self.values[usize::from(self.is_turned)]
    }

    #[inline(always)]
    fn coming(&mut self) -> &mut Value {
        &mut self.values[usize::from(!self.is_turned)]
    }
}

/// The last value of each path, as bytes until somebody asks.
#[derive(Default)]
pub struct Summary {
    keys: Keys,
    last: Vec<Last>,
    touched: Vec<usize>,
    turn: u64,
}

impl Summary {
    /// Takes a record's updates and removals in; true if it holds something else besides.
    ///
    /// A malformed record changes nothing: values count once the whole of it was walked.
    pub fn take(&mut self, message: &[u8], sink: &mut Sink) -> Result<bool, Malformed> {
        let mut is_odd = false;
        let mut rest = message;
        for slot in self.touched.drain(..) {
            self.last[slot].is_touched = false; // left by a record that was malformed
        }
        while !rest.is_empty() {
            if let Some(item) = take_bytes_field(&mut rest, UPDATE_TAG) {
                is_odd |= self.item(false, item, sink)?;
                continue;
            }
            match take_field(&mut rest).transpose()? {
                Some((2, Wire::Bytes(item))) => is_odd |= self.item(true, item, sink)?,
                Some((200, Wire::Bytes(_))) | None => {}
                Some(_) => is_odd = true,
            }
        }
        for slot in self.touched.drain(..) {
            let last = &mut self.last[slot];
            last.is_turned = !last.is_turned;
            last.is_touched = false;
            last.record = sink.record;
            self.turn += 1;
            last.turn = self.turn;
        }
        Ok(is_odd)
    }

    #[inline(always)]
    fn item(&mut self, is_removed: bool, item: &[u8], sink: &mut Sink) -> Result<bool, Malformed> {
        let Some((slot, json)) = self.keys.take_plain(item) else {
            return self.rare_item(is_removed, item, sink);
        };
        self.coming(slot, is_removed).extend_from_slice(json);
        Ok(false)
    }

    /// An item that holds more or other things than a plain key and JSON text.
    #[inline(never)]
    fn rare_item(
        &mut self,
        is_removed: bool,
        item: &[u8],
        sink: &mut Sink,
    ) -> Result<bool, Malformed> {
        let item = self.keys.take(item)?;
        let coming = self.coming(item.slot, is_removed);
        match item.value {
            ItemValue::Json(json) => coming.extend_from_slice(json),
            ItemValue::Missing => return Ok(item.is_odd || !is_removed),
            typed => coming.extend_from_slice(&json_of(typed, sink).unwrap_or_default()),
        }
        Ok(item.is_odd)
    }

    /// Where the value goes that the record at work has for a slot; what was there is gone.
    #[inline(always)]
    fn coming(&mut self, slot: usize, is_removed: bool) -> &mut Vec<u8> {
        if slot >= self.last.len() {
            self.last.resize_with(slot + 1, Last::default);
        }
        let last = &mut self.last[slot];
        if !std::mem::replace(&mut last.is_touched, true) {
            self.touched.push(slot);
        }
        let coming = last.coming();
        coming.is_removed = is_removed;
        coming.json.clear();
        &mut coming.json
    }

    /// What makes the tree that the updates have made, if applied in this order: sorted by path.
    pub fn last_values(&self, sink: &mut Sink) -> Vec<LastValue> {
        let mut tree: BTreeMap<Vec<String>, Option<String>> = BTreeMap::new();
        let mut slots: Vec<usize> = (0..self.last.len())
            .filter(|slot| self.last[*slot].turn > 0)
            .collect();
        slots.sort_by_key(|slot| self.last[*slot].turn);
        for slot in slots {
            let last = &self.last[slot];
            sink.record = last.record;
            let elements = self.keys.path(slot).into_iter();
            let path: Vec<String> = elements.map(|name| sink.text(name).into_owned()).collect();
            let value = if last.value().is_removed {
                None
            } else {
                Some(sink.checked(&last.value().json).map(Cow::into_owned))
            };
            let Some(value) = value.map_or(Some(None), |text| text.map(Some)) else {
                continue; // no JSON, and reported as such
            };
            replace(&mut tree, path, value);
        }
        tree.into_iter().collect()
    }
}

/// A later value stands in place of what was below it.
///
/// What is above stays, and comes first: it may be a mapping with other entries.
fn replace(
    tree: &mut BTreeMap<Vec<String>, Option<String>>,
    path: Vec<String>,
    value: Option<String>,
) {
    let below = tree
        .range(path.clone()..)
        .take_while(|(other, _)| other.starts_with(&path));
    let below: Vec<_> = below.map(|(other, _)| other.clone()).collect();
    for other in below {
        tree.remove(&other);
    }
    tree.insert(path, value);
}
