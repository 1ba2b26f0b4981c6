//! Owns the envelope of a W&B record: which type it is, and where its message lies.

use crate::protobuf::{Fields, Malformed, Wire, varint};

pub const HISTORY: u32 = 2;
pub const SUMMARY: u32 = 3;
pub const OUTPUT: u32 = 4;
pub const STATS: u32 = 7;
pub const OUTPUT_RAW: u32 = 13;

/// The type of a record, and its message.
pub struct RecordParts<'a> {
    /// The field number of its type; 0 if it has none.
    pub number: u32,
    pub message: &'a [u8],
    is_repeated: bool,
    /// Fields of the record that nobody has taught us.
    pub has_strangers: bool,
}

impl<'a> RecordParts<'a> {
    #[inline]
    pub fn of(record: &'a [u8]) -> Result<Self, Malformed> {
        if let Some((number, message)) = plain_parts(record) {
            return Ok(Self {
                number,
                message,
                is_repeated: false,
                has_strangers: false,
            });
        }
        Self::of_any(record)
    }

    fn of_any(record: &'a [u8]) -> Result<Self, Malformed> {
        let mut parts = Self {
            number: 0,
            message: b"",
            is_repeated: false,
            has_strangers: false,
        };
        for field in Fields::new(record) {
            match field? {
                (1, Wire::Varint(_)) | (16 | 19 | 200, Wire::Bytes(_)) => {}
                (number @ (2..=13 | 17 | 18 | 20..=27 | 100), Wire::Bytes(message)) => {
                    parts.is_repeated = parts.number == number;
                    parts.has_strangers |= parts.number != 0 && parts.number != number;
                    parts.number = number;
                    parts.message = message;
                }
                _ => parts.has_strangers = true,
            }
        }
        Ok(parts)
    }

    /// A message that stands there twice is, as the format has it, the two of them end to end.
    pub fn merged(&self, record: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
        if !self.is_repeated {
            return Ok(None);
        }
        let mut merged = Vec::new();
        for field in Fields::new(record) {
            if let (number, Wire::Bytes(message)) = field?
                && number == self.number
            {
                merged.extend_from_slice(message);
            }
        }
        Ok(Some(merged))
    }
}

/// Type and message if the record is exactly its number and one message of types 2 to 13.
#[inline]
fn plain_parts(record: &[u8]) -> Option<(u32, &[u8])> {
    let mut rest = record.strip_prefix(&[0x08])?;
    varint(&mut rest).ok()?;
    let (tag, mut rest) = rest.split_first()?;
    let is_message = matches!(tag >> 3, 2..=13) && tag & 7 == 2;
    let length = varint(&mut rest).ok()?;
    (is_message && length == rest.len() as u64).then_some((u32::from(tag >> 3), rest))
}
