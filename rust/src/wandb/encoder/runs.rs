//! Owns values that leave their lane together.

use super::items::SeriesPlace;
use super::lanes::SourceRow;
use crate::wandb::own::Code;
use crate::wandb::sink::Stream;

/// A value, as small as can be: there are many.
pub struct Entry {
    pub start: usize,
    pub item: u32,
    pub exact: u32,
    pub row: u32,
    pub series: u32,
    pub code: Code,
}

/// Values of one source row and one stream that follow each other, on their way.
pub struct Run<'a> {
    pub row: &'a SourceRow,
    pub stream: Stream,
    pub entries: &'a [Entry],
    pub bytes: &'a [u8],
    pub series: &'a [SeriesPlace],
}

impl<'a> Run<'a> {
    /// Takes the first value.
    pub fn pop(&mut self) -> Option<Waiting<'a>> {
        let (entry, rest) = self.entries.split_first()?;
        self.entries = rest;
        let middle = entry.start + entry.item as usize;
        Some(Waiting {
            row: self.row,
            series: entry.series,
            place: &self.series[entry.series as usize],
            code: entry.code,
            item: &self.bytes[entry.start..middle],
            exact: &self.bytes[middle..middle + entry.exact as usize],
        })
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Series and codes, and whether a series is the row's own duration.
    pub fn values(&self) -> impl Iterator<Item = (usize, Code, bool)> {
        self.entries.iter().map(|entry| {
            let series = entry.series as usize;
            (series, entry.code, self.series[series].is_runtime)
        })
    }

    /// All of them as fields of the row, where JSON says all; they stand side by side then.
    pub fn items(&self) -> Option<&'a [u8]> {
        let (first, last) = (self.entries.first()?, self.entries.last()?);
        let is_plain = self.entries.iter().all(|entry| entry.exact == 0);
        is_plain.then(|| &self.bytes[first.start..last.start + last.item as usize])
    }

    /// Bytes of the first items.
    pub fn size_of(&self, count: usize) -> usize {
        let items = self.entries[..count].iter();
        items.map(|entry| entry.item as usize).sum()
    }

    /// Takes so many of them.
    pub fn skip(&mut self, count: usize) {
        self.entries = &self.entries[count..];
    }
}

/// One value on its way.
pub struct Waiting<'a> {
    pub row: &'a SourceRow,
    pub series: u32,
    pub place: &'a SeriesPlace,
    pub code: Code,
    /// As a field of the row.
    pub item: &'a [u8],
    /// What JSON does not say.
    pub exact: &'a [u8],
}
