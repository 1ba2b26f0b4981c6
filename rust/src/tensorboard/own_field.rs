//! Owns the definition of field 1517 of `Event`: what our writer says that TensorBoard has no place for.
//!
//! Every parser of protobuf skips a field that it does not know, so TensorBoard shows such an event as
//! if the field were not there. It holds an embedded message. All of its fields are optional, an
//! absent one says that the event itself tells; unknown ones are skipped.
//!
//! | number | type           | meaning                                                                |
//! |-------:|----------------|------------------------------------------------------------------------|
//! |      1 | int64          | number of the source row, where it is not the last plus 1 (0 at first) |
//! |      2 | int32          | millionths that the step is above the event's                          |
//! |      3 | varint, bits   | 1: the step is null; 2: the time is null; 4: nobody reads the event,   |
//! |        |                | it only shows what a record of ours says exactly                       |
//! |      4 | sint64         | nanoseconds since the epoch, where `wall_time` does not give them back |
//! |      5 | bytes          | what each value is: one `Kind` a value, where any is not 0             |
//! |      6 | sint64, packed | the integers of kind 6, in order                                       |
//! |      7 | message        | one for each histogram of the event, see the module `histogram`        |
//! |      8 | double, packed | the doubles of kinds 8 to 10, in order                                 |
//!
//! `docs/tensorboard.md` says the same to those who read event files without us.
//!
//! A number is never given another meaning: files that were written stay readable.

mod reading;
mod writing;

pub use reading::{Own, OwnHistogram};
pub use writing::{OwnBuilder, OwnHistogramLists};

/// The field of `Event`.
pub const OWN: u32 = 1517;

const SEQ: u32 = 1;
const STEP_FRAC: u32 = 2;
const FLAGS: u32 = 3;
const TIME_NS: u32 = 4;
const KINDS: u32 = 5;
const EXACT_INTS: u32 = 6;
const HISTOGRAM: u32 = 7;
const EXACT_DOUBLES: u32 = 8;

/// The bits of field 3.
mod flag {
    pub const STEP_IS_NULL: u64 = 1;
    pub const TIME_IS_NULL: u64 = 2;
    pub const IS_SHOWN_ONLY: u64 = 4;
}

/// The fields of the message in field 7: what the histogram shown does not say of a row.
///
/// | number | type           | meaning                                                                |
/// |-------:|----------------|------------------------------------------------------------------------|
/// |      1 | varint         | 0: the counts are integers, 1: floats                                  |
/// |      2 | string         | the column `extra`; absent where that is null                          |
/// |      3 | double, packed | edges, where 5 stands                                                  |
/// |      4 | double, packed | counts, where 5 stands                                                 |
/// |      5 | varint, bits   | that edges and counts are those of 3 and 4, not those shown;           |
/// |        |                | 1: edges are null, 2: counts are                                       |
mod histogram {
    pub const COUNTS_KIND: u32 = 1;
    pub const EXTRA: u32 = 2;
    pub const EDGES: u32 = 3;
    pub const COUNTS: u32 = 4;
    pub const NULL_LISTS: u32 = 5;

    pub const EDGES_ARE_NULL: u64 = 1;
    pub const COUNTS_ARE_NULL: u64 = 2;
}

/// What a value is where its form does not say so: one byte of field 5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    #[default]
    AsSpelled = 0,
    Float64 = 1,
    /// Of a double that 32 bits hold.
    Float32 = 2,
    Int = 3,
    Bool = 4,
    /// A number or a text that is null.
    Null = 5,
    /// The next integer of field 6.
    ExactInt = 6,
    /// A text that is JSON.
    Json = 7,
    /// The next double of field 8.
    ExactFloat64 = 8,
    /// The same, which its source calls a float of 32 bits, although they cannot hold it.
    WideFloat32 = 9,
    /// The same, which its source calls an integer, although 64 bits cannot hold it.
    WideInt = 10,
}

impl Kind {
    const ALL: [Self; 11] = [
        Self::AsSpelled,
        Self::Float64,
        Self::Float32,
        Self::Int,
        Self::Bool,
        Self::Null,
        Self::ExactInt,
        Self::Json,
        Self::ExactFloat64,
        Self::WideFloat32,
        Self::WideInt,
    ];

    /// None if it is one that nobody has taught us.
    fn of(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }
}
