//! Owns what is said of bytes that could not be read, or not as they were.

/// Why a range of bytes could not be read; `as_str` is the stable word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A chunk whose checksum does not match.
    BadChecksum,
    /// A chunk that would cross its block or the end of the file, or has no such type.
    BadHeader,
    /// A length whose checksum does not match, or that cannot be.
    BadLength,
    /// A chunk header of zeros, or zeros up to the end of a block.
    Zeroed,
    /// A middle or last chunk without its first.
    Orphan,
    /// A first chunk whose last never came.
    Unfinished,
    /// The file ends inside a record: cut, or still being written.
    CutTail,
    /// A record so long that it is not put together.
    Oversized,
    /// The record is whole, its message is not.
    BadRecord,
    /// A value that is no JSON.
    BadJson,
    /// A value of a summary that does not hold what its form says; it was kept as its event.
    BadTensor,
    /// A time that is none (NaN, or beyond the years that 64 bits of nanoseconds hold).
    BadTime,
    /// A time finer than a nanosecond.
    RoundedTime,
    /// Text that is no UTF-8; it was kept with U+FFFD in place of what was wrong.
    BadUtf8,
    /// A key that, mended so, is the same as another: values of both are in one place.
    MergedKey,
    /// A surrogate without its pair; it was kept as U+FFFD.
    LoneSurrogate,
    /// Two values in one row claim one place; the later one was kept.
    Overlap,
}

impl Reason {
    /// The word that callers match on.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadChecksum => "bad-checksum",
            Self::BadLength => "bad-length",
            Self::BadTensor => "bad-tensor",
            Self::BadTime => "bad-time",
            Self::RoundedTime => "rounded-time",
            Self::BadHeader => "bad-header",
            Self::Zeroed => "zeroed",
            Self::Orphan => "orphan-chunk",
            Self::Unfinished => "unfinished-record",
            Self::CutTail => "cut-tail",
            Self::Oversized => "oversized-record",
            Self::BadRecord => "bad-record",
            Self::BadJson => "bad-json",
            Self::BadUtf8 => "bad-utf8",
            Self::MergedKey => "merged-key",
            Self::LoneSurrogate => "lone-surrogate",
            Self::Overlap => "overlap",
        }
    }
}

/// Bytes that were lost, or mended with a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where it begins in the file.
    pub offset: u64,
    /// How many bytes are concerned.
    pub length: u64,
    /// What was wrong.
    pub reason: Reason,
}
