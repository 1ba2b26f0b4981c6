//! Owns what we say in history rows and statistics besides what W&B knows: field 1517.
//!
//! A row of W&B has one step and one time. Several source rows of a step become one row there, and
//! the field says which values belong to which of them, with what JSON does not tell of a value. It
//! comes first in its message; other readers of protocol buffers pass over fields they do not know.
//! It holds
//!
//! 1. how many items at the end are only shown: step, time and duration of the row
//! 2. the source rows: see `Source`
//! 3. a byte an item, where one of them is not as it is spelled: see `Code`
//! 4. doubles that JSON cannot give back
//! 5. values as they were, where another form of them is shown

mod reading;
mod writing;

pub use reading::OwnRow;
pub use writing::OwnBuilder;

/// Its tag as bytes.
pub const TAG: [u8; 2] = [0xea, 0x5e];
/// Its number, for which the text of a line has a number of its own.
pub const FIELD: u32 = 1517;

const SHOWN: u32 = 1;
const SOURCES: u32 = 2;
const CODES: u32 = 3;
const DOUBLES: u32 = 4;
const TEXTS: u32 = 5;

/// What is said of a source row.
mod flag {
    /// Its number follows, less the one expected: 0, or one more than the last one in this row.
    pub const SEQ: u64 = 1;
    /// It has no step, though one is shown.
    pub const NO_STEP: u64 = 2;
    /// Its step follows: statistics have no place for one.
    pub const STEP: u64 = 4;
    /// The millionths above its step follow.
    pub const FRAC: u64 = 8;
    /// It has no time, though one is shown.
    pub const NO_TIME: u64 = 16;
    /// Its time follows in nanoseconds, less the time shown.
    pub const TIME: u64 = 32;
}

/// A source row within a row of W&B.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    pub seq: i64,
    pub step: Option<i64>,
    pub step_frac: Option<i32>,
    pub time_ns: Option<i64>,
    /// How many of the items are its values.
    pub items: usize,
}

/// What an item is that is not what its JSON says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    AsSpelled = 0,
    /// A float of 32 bits.
    Float32 = 1,
    /// The double stands in field 4.
    ExactFloat64 = 2,
    /// The same, and the source calls it a float of 32 bits.
    ExactFloat32 = 3,
    /// The same, and the source calls it an integer.
    ExactInt = 4,
    Text = 5,
    /// JSON, kept as it is written.
    Json = 6,
    NullText = 7,
    NullJson = 8,
    Histogram = 9,
    /// The histogram stands in field 5.
    ExactHistogram = 10,
    /// A medium, which is also described in a record of its own.
    Shown = 11,
}

impl Code {
    pub const ALL: [Self; 12] = [
        Self::AsSpelled,
        Self::Float32,
        Self::ExactFloat64,
        Self::ExactFloat32,
        Self::ExactInt,
        Self::Text,
        Self::Json,
        Self::NullText,
        Self::NullJson,
        Self::Histogram,
        Self::ExactHistogram,
        Self::Shown,
    ];

    pub fn has_double(self) -> bool {
        matches!(
            self,
            Self::ExactFloat64 | Self::ExactFloat32 | Self::ExactInt
        )
    }
}
