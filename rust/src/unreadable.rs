//! Owns why a file cannot be read at all, whatever its format.

use std::io;

use arrow_schema::ArrowError;

/// Nothing can be had from the file.
#[derive(Debug)]
pub enum Unreadable {
    Io(io::Error),
    /// It does not begin as files of the format do.
    OtherFormat,
    UnknownVersion(u8),
    Arrow(ArrowError),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ArrowError> for Unreadable {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}
