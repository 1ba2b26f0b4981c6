//! Owns the items of W&B records: `key` or `nested_key` with a value, and which column that is.
//!
//! wandb-core writes the keys of a row by walking a Go map, so their order is another one in every
//! row and nothing can be foretold from it. A key is found by two of its words: they lead to a place
//! where it is kept if it was the last one there, and comparing bytes tells whether it was.

use std::collections::HashMap;

use crate::protobuf::{Fields, Malformed, Wire, varint, zigzag};

const KEY: u32 = 1;
const NESTED_KEY: u32 = 2;
const KEY_TAG: u8 = 0x0a;
const NESTED_KEY_TAG: u8 = 0x12;
/// The tag of `value_json`, field 16 as bytes.
const VALUE_JSON_TAG: [u8; 2] = [0x82, 0x01];

/// What an item holds. Since 0.31 a typed value may stand beside or instead of the JSON text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ItemValue<'a> {
    Json(&'a [u8]),
    Null,
    Bool(bool),
    Int(i64),
    Number(f64),
    Text(&'a [u8]),
    Missing,
}

/// An item, taken apart.
pub struct Item<'a> {
    /// The number of its key, in order of first appearance.
    pub slot: usize,
    pub value: ItemValue<'a>,
    /// It holds something that this reader does not know, or two things where one belongs.
    pub is_odd: bool,
}

struct Slot {
    /// The key as it stands on the wire, tags included.
    raw: Box<[u8]>,
    is_odd: bool,
}

/// Places where a key is looked for first.
const PLACES: usize = 8192;

/// The keys of one kind of record.
pub struct Keys {
    slots: Vec<Slot>,
    by_raw: HashMap<Box<[u8]>, usize, foldhash::fast::RandomState>,
    /// The slot last found by each place.
    places: Vec<u32>,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            by_raw: HashMap::default(),
            places: vec![0; PLACES],
        }
    }
}

impl Keys {
    /// Takes an item apart if it is what nearly every one is: a plain key and JSON text.
    ///
    /// A slot that was not seen before is one more than the last new one.
    #[inline(always)]
    pub fn take_plain<'a>(&mut self, item: &'a [u8]) -> Option<(usize, &'a [u8])> {
        let (raw, json) = plain_parts(item)?;
        let place = place_of(raw);
        let guess = self.places[place] as usize;
        let slot = match self.slots.get(guess) {
            Some(slot) if is_same(&slot.raw, raw) => guess,
            _ => self.find(raw, place),
        };
        (!self.slots[slot].is_odd).then_some((slot, json))
    }

    /// Takes any item apart.
    pub fn take<'a>(&mut self, item: &'a [u8]) -> Result<Item<'a>, Malformed> {
        match self.take_plain(item) {
            Some((slot, json)) => Ok(Item {
                slot,
                value: ItemValue::Json(json),
                is_odd: false,
            }),
            None => self.take_odd(item),
        }
    }

    #[inline(never)]
    fn find(&mut self, raw: &[u8], place: usize) -> usize {
        let slot = self.slot_of(raw);
        self.places[place] = slot as u32;
        slot
    }

    /// Takes an item apart that is no plain one, field by field.
    #[inline(never)]
    pub fn take_odd<'a>(&mut self, item: &'a [u8]) -> Result<Item<'a>, Malformed> {
        let parts = Parts::of(item)?;
        let slot = self.slot_of(&parts.raw_key(item));
        Ok(Item {
            slot,
            value: parts.value(),
            is_odd: parts.is_odd || self.slots[slot].is_odd,
        })
    }

    fn slot_of(&mut self, raw: &[u8]) -> usize {
        if let Some(slot) = self.by_raw.get(raw) {
            return *slot;
        }
        let slot = self.slots.len();
        self.slots.push(Slot {
            raw: raw.into(),
            is_odd: has_odd_key(raw),
        });
        self.by_raw.insert(raw.into(), slot);
        slot
    }

    /// The elements of a key; `nested_key` counts if both are there.
    pub fn path(&self, slot: usize) -> Vec<&[u8]> {
        let mut key: &[u8] = b"";
        let mut nested = Vec::new();
        for field in Fields::new(&self.slots[slot].raw).flatten() {
            match field {
                (KEY, Wire::Bytes(element)) => key = element,
                (NESTED_KEY, Wire::Bytes(element)) => nested.push(element),
                _ => {}
            }
        }
        if nested.is_empty() { vec![key] } else { nested }
    }
}

/// The key as it stands on the wire, and the JSON text, if the item is exactly that.
#[inline(always)]
fn plain_parts(item: &[u8]) -> Option<(&[u8], &[u8])> {
    // Nearly every item: one element, and lengths of one byte.
    if let [KEY_TAG | NESTED_KEY_TAG, length @ ..0x80, ..] = item
        && let Some((raw, value)) = item.split_at_checked(2 + usize::from(*length))
        && let [0x82, 0x01, length @ ..0x80, json @ ..] = value
        && json.len() == usize::from(*length)
    {
        return Some((raw, json));
    }
    long_parts(item)
}

#[inline(never)]
fn long_parts(item: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    loop {
        match *item.get(at..)? {
            [KEY_TAG | NESTED_KEY_TAG, length @ ..0x80, ..] => at += 2 + usize::from(length),
            [0x82, 0x01, ..] => break,
            _ => return None,
        }
    }
    let (raw, value) = item.split_at(at);
    let mut rest = value.strip_prefix(&VALUE_JSON_TAG)?;
    let length = varint(&mut rest).ok()?;
    (length == rest.len() as u64).then_some((raw, rest))
}

/// Whether two keys are equal, eight bytes at a time: calling `memcmp` takes longer.
#[inline(always)]
fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let (Some(end), Some(other_end)) = (one.last_chunk::<8>(), other.last_chunk()) else {
        return one == other;
    };
    let (words, other_words) = (one.as_chunks::<8>().0, other.as_chunks::<8>().0);
    end == other_end && words.iter().zip(other_words).all(|(a, b)| a == b)
}

/// A number below `PLACES` that differs for most keys: from their end, their middle, their length.
#[inline(always)]
fn place_of(raw: &[u8]) -> usize {
    let word = |at: usize| raw.get(at..).and_then(|tail| tail.first_chunk::<8>());
    let start = raw.len().saturating_sub(8);
    let (Some(end), Some(middle)) = (word(start), word(start / 2)) else {
        return raw
            .last()
            .map_or(0, |last| usize::from(*last) + 256 * (raw.len() & 7));
    };
    let mixed = u64::from_le_bytes(*end) ^ u64::from_le_bytes(*middle).rotate_left(29);
    let mixed = (mixed ^ raw.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 51) as usize
}

/// More than one `key`, or a `key` beside a `nested_key`.
fn has_odd_key(raw: &[u8]) -> bool {
    let numbers = Fields::new(raw).flatten().map(|(number, _)| number);
    let (plain, nested): (Vec<u32>, Vec<u32>) = numbers.partition(|number| *number == KEY);
    plain.len() + usize::from(!nested.is_empty()) > 1
}

/// The fields of an item, in whatever order they came.
#[derive(Default)]
struct Parts<'a> {
    keys: Vec<(usize, usize)>,
    json: Option<&'a [u8]>,
    typed: Option<ItemValue<'a>>,
    is_odd: bool,
}

impl<'a> Parts<'a> {
    fn of(item: &'a [u8]) -> Result<Self, Malformed> {
        let mut parts = Self::default();
        let mut fields = Fields::new(item);
        let mut start = 0;
        while let Some(field) = fields.next() {
            let end = item.len() - fields.rest().len();
            parts.add(field?, (start, end));
            start = end;
        }
        Ok(parts)
    }

    fn add(&mut self, field: (u32, Wire<'a>), place: (usize, usize)) {
        let typed = match field {
            (KEY | NESTED_KEY, Wire::Bytes(_)) => return self.keys.push(place),
            (16, Wire::Bytes(json)) => {
                self.is_odd |= self.json.is_some();
                self.json = Some(json);
                return;
            }
            (3, Wire::Varint(0)) => ItemValue::Null,
            (4, Wire::Varint(truth)) => ItemValue::Bool(truth != 0),
            (5, Wire::Varint(folded)) => ItemValue::Int(zigzag(folded)),
            (6, Wire::Fixed64(bits)) => ItemValue::Number(f64::from_bits(bits)),
            (7, Wire::Bytes(text)) => ItemValue::Text(text),
            (8, Wire::Bytes(json)) => ItemValue::Json(json),
            _ => {
                self.is_odd = true;
                return;
            }
        };
        self.is_odd |= self.typed.is_some();
        self.typed = Some(typed);
    }

    fn raw_key(&self, item: &[u8]) -> Vec<u8> {
        self.keys
            .iter()
            .flat_map(|(start, end)| &item[*start..*end])
            .copied()
            .collect()
    }

    /// The typed value says more (1.0 is not 1), so it counts where both are there.
    fn value(&self) -> ItemValue<'a> {
        self.typed
            .or(self.json.map(ItemValue::Json))
            .unwrap_or(ItemValue::Missing)
    }
}
