//! Owns the numbers of SwanLab's records, and what scalars and media begin with.

use crate::protobuf::{Fields, Malformed, Wire, timestamp_ns};

/// Field numbers of `Record`.
pub const SCALAR: u32 = 13;
pub const MEDIA: u32 = 14;
pub const LOG: u32 = 16;

/// `COLUMN_TYPE_SCALAR`
pub const SCALAR_TYPE: u64 = 1;

/// What scalars and media begin with.
#[derive(Default)]
pub struct Logged<'a> {
    pub key: &'a [u8],
    pub step: i64,
    pub time_ns: Option<i64>,
    pub column_type: u64,
    pub value: Option<&'a [u8]>,
    pub is_odd: bool,
}

impl<'a> Logged<'a> {
    /// `logged_ns` is the record's own time, for what states none.
    pub fn of(message: &'a [u8], logged_ns: Option<i64>) -> Result<Self, Malformed> {
        let mut found = Logged {
            time_ns: logged_ns,
            ..Self::default()
        };
        for field in Fields::new(message) {
            match field? {
                (1, Wire::Bytes(key)) => found.key = key,
                (2, Wire::Varint(step)) => found.step = step as i64,
                (3, Wire::Varint(kind)) => found.column_type = kind,
                (4, Wire::Bytes(time)) => {
                    found.time_ns = timestamp_ns(time);
                    found.is_odd |= found.time_ns.is_none();
                }
                (5, Wire::Bytes(value)) => {
                    found.is_odd |= found.value.is_some();
                    found.value = Some(value);
                }
                _ => found.is_odd = true,
            }
        }
        Ok(found)
    }
}

/// The number of what a record holds, beside its own number and time; None where nobody can tell.
pub fn number_of(payload: &[u8]) -> Option<u32> {
    Fields::new(payload)
        .map_while(Result::ok)
        .find_map(|(number, _)| (number > 2).then_some(number))
}

/// The number with which a record begins, 0 where it has none, and all that follows.
pub fn numbered(payload: &[u8]) -> (i64, &[u8]) {
    let mut fields = Fields::new(payload);
    match fields.next() {
        Some(Ok((1, Wire::Varint(num)))) => (num as i64, fields.rest()),
        _ => (0, payload),
    }
}
