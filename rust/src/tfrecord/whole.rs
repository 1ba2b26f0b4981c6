//! Owns reading whole records until one is not: of files that nobody else writes to.

use std::io::{self, Read};

use crate::tfrecord::{FOOTER, FRAME, HEADER, checked, masked_crc, split_header};

/// Reads whole records one after another, until one is not.
pub struct WholeRecords<R> {
    source: R,
    /// Behind the last whole record.
    offset: u64,
    size: u64,
    payload: Vec<u8>,
}

impl<R: Read> WholeRecords<R> {
    /// `source` stands at `offset`; `size` is the length of all of it.
    pub fn new(source: R, offset: u64, size: u64) -> Self {
        Self {
            source,
            offset,
            size,
            payload: Vec::new(),
        }
    }

    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next payload; None at the end, and before what is torn or damaged.
    pub fn next_record(&mut self) -> io::Result<Option<&[u8]>> {
        let left = self.size.saturating_sub(self.offset);
        let Some(longest) = left.checked_sub(FRAME as u64) else {
            return Ok(None);
        };
        let mut header = [0; HEADER];
        if !read_whole(&mut self.source, &mut header)? {
            return Ok(None);
        }
        let Some((length, crc)) = split_header(&header) else {
            return Ok(None);
        };
        if masked_crc(&length.to_le_bytes()) != crc || length > longest {
            return Ok(None);
        }
        self.payload.resize(length as usize + FOOTER, 0);
        if !read_whole(&mut self.source, &mut self.payload)? {
            return Ok(None);
        }
        let payload = checked(&self.payload);
        if payload.is_some() {
            self.offset += length + FRAME as u64;
        }
        Ok(payload)
    }
}

/// False where the source ends before the buffer is full.
fn read_whole(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match source.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tfrecord::testing::frame;

    #[test]
    fn records_are_read_up_to_the_first_that_is_not_whole() {
        let out = [&b"first"[..], b"", b"third"].map(frame).concat();
        let ends: Vec<usize> = [5, 0, 5]
            .iter()
            .scan(0, |end, length| {
                *end += FRAME + length;
                Some(*end)
            })
            .collect();
        for cut in 0..=out.len() {
            let mut records = WholeRecords::new(&out[..cut], 0, cut as u64);
            let mut found = 0;
            while records.next_record().expect("memory").is_some() {
                found += 1;
            }
            assert_eq!(found, ends.iter().filter(|end| **end <= cut).count());
            assert_eq!(
                records.offset(),
                ends[..found].last().map_or(0, |end| *end as u64)
            );
        }
    }
}
