//! Owns the items of W&B records: `key` or `nested_key` with a value, found again without hashing.
//!
//! wandb-core writes the keys of a row by walking a Go map: from a random start, but round the same
//! ring. So the key that followed last time most likely follows again, and comparing its bytes is
//! all it takes to know the column.

use std::collections::HashMap;

use crate::protobuf::{Fields, Malformed, Wire, take_bytes_field, varint, zigzag};

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
    follower: usize,
    is_odd: bool,
}

/// The keys of one kind of record.
#[derive(Default)]
pub struct Keys {
    slots: Vec<Slot>,
    by_raw: HashMap<Box<[u8]>, usize>,
    previous: Option<usize>,
    guess: usize,
    /// What the last row began with.
    first: usize,
}

impl Keys {
    /// A row begins: what comes first says nothing about what follows the last.
    pub fn begin_row(&mut self) {
        self.previous = None;
        self.guess = self.first;
    }

    /// Takes an item apart. A slot equal to the former `len` is new.
    #[inline(always)]
    pub fn take<'a>(&mut self, item: &'a [u8]) -> Result<Item<'a>, Malformed> {
        if let Some(slot) = self.slots.get(self.guess)
            && let Some(json) = plain_value(item, &slot.raw)
        {
            let number = self.guess;
            self.guess = slot.follower;
            self.previous = Some(number);
            return Ok(Item {
                slot: number,
                value: ItemValue::Json(json),
                is_odd: slot.is_odd,
            });
        }
        self.take_unforeseen(item)
    }

    #[inline(never)]
    fn take_unforeseen<'a>(&mut self, item: &'a [u8]) -> Result<Item<'a>, Malformed> {
        let mut rest = item;
        while take_bytes_field(&mut rest, NESTED_KEY_TAG).is_some()
            || take_bytes_field(&mut rest, KEY_TAG).is_some()
        {}
        let raw = &item[..item.len() - rest.len()];
        let (slot, value, is_odd) = match (self.by_raw.get(raw), plain_value(rest, b"")) {
            (Some(slot), Some(json)) => (*slot, ItemValue::Json(json), false),
            _ => {
                let parts = Parts::of(item)?;
                let slot = self.slot_of(&parts.raw_key(item), parts.has_odd_key());
                (slot, parts.value(), parts.is_odd)
            }
        };
        match self.previous {
            Some(previous) => self.slots[previous].follower = slot,
            None => self.first = slot,
        }
        self.previous = Some(slot);
        self.guess = self.slots[slot].follower;
        Ok(Item {
            slot,
            value,
            is_odd: is_odd || self.slots[slot].is_odd,
        })
    }

    fn slot_of(&mut self, raw: &[u8], is_odd: bool) -> usize {
        if let Some(slot) = self.by_raw.get(raw) {
            return *slot;
        }
        let slot = self.slots.len();
        self.slots.push(Slot {
            raw: raw.into(),
            follower: slot + 1,
            is_odd,
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

/// The JSON text, if the item is exactly this key and that.
#[inline(always)]
fn plain_value<'a>(item: &'a [u8], raw_key: &[u8]) -> Option<&'a [u8]> {
    let mut rest = item.strip_prefix(raw_key)?.strip_prefix(&VALUE_JSON_TAG)?;
    let length = varint(&mut rest).ok()?;
    (length == rest.len() as u64).then_some(rest)
}

/// The fields of an item, in whatever order they came.
#[derive(Default)]
struct Parts<'a> {
    keys: Vec<(usize, usize)>,
    count_of_key: usize,
    has_nested_key: bool,
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
            (KEY, Wire::Bytes(_)) => {
                self.count_of_key += 1;
                return self.keys.push(place);
            }
            (NESTED_KEY, Wire::Bytes(_)) => {
                self.has_nested_key = true;
                return self.keys.push(place);
            }
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

    /// More than one `key`, or a `key` beside a `nested_key`.
    fn has_odd_key(&self) -> bool {
        self.count_of_key + usize::from(self.has_nested_key) > 1
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
