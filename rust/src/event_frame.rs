//! Owns the framing of event files: length, its masked crc32c, payload, the payload's.
//!
//! The format is TensorFlow's `lib/io/record_writer.cc`.

use std::io::{self, Read};

use crate::tfrecord::masked_crc;

/// Bytes before a payload: its length, and the checksum of that.
pub const HEADER: usize = 12;
/// Bytes behind a payload: its checksum.
pub const FOOTER: usize = 4;

/// Leaves room for a header; the payload is what is appended until `end`.
pub fn begin(out: &mut Vec<u8>) -> usize {
    let at = out.len();
    out.resize(at + HEADER, 0);
    at
}

/// Closes the record that `begin` opened at `at`.
pub fn end(out: &mut Vec<u8>, at: usize) {
    let length = (out.len() - at - HEADER) as u64;
    let spelled = length.to_le_bytes();
    out[at..at + 8].copy_from_slice(&spelled);
    out[at + 8..at + HEADER].copy_from_slice(&masked_crc(&spelled).to_le_bytes());
    let crc = masked_crc(&out[at + HEADER..]);
    out.extend_from_slice(&crc.to_le_bytes());
}

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
        let around = (HEADER + FOOTER) as u64;
        if left < around {
            return Ok(None);
        }
        let mut header = [0; HEADER];
        if !read_whole(&mut self.source, &mut header)? {
            return Ok(None);
        }
        let [length, crc] = [&header[..8], &header[8..]];
        if masked_crc(length).to_le_bytes() != *crc {
            return Ok(None);
        }
        let length = u64::from_le_bytes(length.try_into().expect("eight bytes"));
        if length > left - around {
            return Ok(None);
        }
        self.payload.resize(length as usize + FOOTER, 0);
        if !read_whole(&mut self.source, &mut self.payload)? {
            return Ok(None);
        }
        let (payload, crc) = self.payload.split_at(length as usize);
        if masked_crc(payload).to_le_bytes() != *crc {
            return Ok(None);
        }
        self.offset += length + around;
        Ok(Some(payload))
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

    #[test]
    fn records_are_read_up_to_the_first_that_is_not_whole() {
        let mut out = Vec::new();
        for payload in [&b"first"[..], b"", b"third"] {
            let at = begin(&mut out);
            out.extend_from_slice(payload);
            end(&mut out, at);
        }
        let ends: Vec<usize> = [5, 0, 5]
            .iter()
            .scan(0, |end, length| {
                *end += HEADER + length + FOOTER;
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
