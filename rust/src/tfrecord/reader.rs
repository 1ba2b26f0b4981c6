//! Owns reading records one after the other, and on behind damage.
//!
//! A record is whole or lost: both crcs hold, or none of it is handed out.

use std::io::{self, Read, Seek};
use std::sync::LazyLock;

use crate::damage::{Damage, Reason};
use crate::tfrecord::{self, checked, masked_crc, split_header};
use crate::window::Window;

const HEADER: u64 = tfrecord::HEADER as u64;
const FRAME: u64 = tfrecord::FRAME as u64;

/// A longer record is lost, so that no file decides how much memory is used.
const LONGEST_PAYLOAD: u64 = 256 << 20;
/// So much may be checksummed in vain while whole records are looked for behind damage: a file may
/// be made up so that lengths seem to stand everywhere.
const SEARCH_BYTES: u64 = 1 << 30;
/// Lengths below have their crc in a table.
const SHORT: usize = 4096;

/// A whole record: where it begins and ends in the file, and its bytes.
#[derive(Debug)]
pub struct Record<'a> {
    pub offset: u64,
    pub end: u64,
    pub payload: &'a [u8],
}

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A record whose payload has so many bytes.
    Whole(u64),
    /// The length holds, the payload does not.
    BadPayload(u64),
    /// The length holds and is more than is put together.
    Oversized(u64),
    /// The length holds, and the file ends before it does; or it ends within the length.
    Cut,
    BadLength,
}

/// Reads the records of a file one after the other.
pub struct RecordReader<S> {
    window: Window<S>,
    limit: u64,
    position: u64,
    /// Behind the last whole record.
    committed: u64,
    damage: Vec<Damage>,
    search_bytes: u64,
    crc_of_length: &'static [u32],
}

impl<S: Read + Seek> RecordReader<S> {
    /// A reader of `source[offset..limit]`.
    pub fn new(source: S, offset: u64, limit: u64) -> Self {
        static CRCS: LazyLock<Vec<u32>> = LazyLock::new(|| {
            let lengths = 0..SHORT as u64;
            lengths
                .map(|length| masked_crc(&length.to_le_bytes()))
                .collect()
        });
        Self {
            window: Window::new(source),
            limit,
            position: offset,
            committed: offset,
            damage: Vec::new(),
            search_bytes: SEARCH_BYTES,
            crc_of_length: &CRCS,
        }
    }

    /// The next whole record, or None where the file ends.
    ///
    /// A file that shrinks while it is read ends where reading fails.
    #[inline]
    pub fn next_record(&mut self) -> io::Result<Option<Record<'_>>> {
        let length = match self.take_held() {
            Some(length) => Some(length),
            None => self.take()?,
        };
        let Some(length) = length else {
            return Ok(None);
        };
        let (offset, end) = (self.position - FRAME - length, self.position);
        let payload = self.window.bytes(offset + HEADER..end - 4)?;
        Ok(Some(Record {
            offset,
            end,
            payload,
        }))
    }

    /// Steps over a record that is in the window, if it is a short one and whole.
    #[inline]
    fn take_held(&mut self) -> Option<u64> {
        let header = self.window.held(self.position, HEADER as usize)?;
        let (length, crc) = split_header(header)?;
        if *self.crc_of_length.get(usize::try_from(length).ok()?)? != crc
            || self.position + FRAME + length > self.limit
        {
            return None;
        }
        let record = self.window.held(self.position, (FRAME + length) as usize)?;
        checked(&record[tfrecord::HEADER..])?;
        self.position += FRAME + length;
        self.committed = self.position;
        Some(length)
    }

    /// Steps over the next whole record, and over damage before it; its length.
    #[inline(never)]
    fn take(&mut self) -> io::Result<Option<u64>> {
        match self.find() {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.lose(self.limit, Reason::CutTail);
                Ok(None)
            }
            found => found,
        }
    }

    fn find(&mut self) -> io::Result<Option<u64>> {
        while self.position < self.limit {
            let (reason, until) = match self.place(self.position)? {
                Place::Whole(length) => {
                    self.position += FRAME + length;
                    self.committed = self.position;
                    return Ok(Some(length));
                }
                Place::BadPayload(length) => {
                    let end = self.position + FRAME + length;
                    if self.has_length(end)? {
                        self.lose(end, Reason::BadChecksum);
                        continue;
                    }
                    let is_last = self.limit - end < HEADER; // nothing behind it speaks for its length
                    let until = if is_last { end } else { self.limit };
                    (Reason::BadChecksum, until)
                }
                Place::Oversized(length) => {
                    self.lose(self.position + FRAME + length, Reason::Oversized);
                    continue;
                }
                Place::Cut => (Reason::CutTail, self.limit),
                Place::BadLength => (Reason::BadLength, self.limit),
            };
            self.search(reason, until)?;
        }
        Ok(None)
    }

    /// Goes on at the next place before `until` where a whole record stands, or there.
    fn search(&mut self, reason: Reason, until: u64) -> io::Result<()> {
        let start = self.position;
        let mut at = start + 1;
        let mut is_zero = self.window.bytes(start..at)? == [0];
        while at < until {
            if self.search_bytes > 0 && at + FRAME <= self.limit && self.is_whole(at)? {
                let reason = match reason {
                    Reason::CutTail => Reason::Unfinished,
                    other => other,
                };
                self.lose(at, if is_zero { Reason::Zeroed } else { reason });
                return Ok(());
            }
            is_zero &= self.window.bytes(at..at + 1)? == [0];
            at += 1;
        }
        let is_long = until - start >= HEADER;
        self.lose(
            until,
            if is_zero && is_long {
                Reason::Zeroed
            } else {
                reason
            },
        );
        Ok(())
    }

    fn is_whole(&mut self, at: u64) -> io::Result<bool> {
        let place = self.place(at)?;
        if let Place::BadPayload(length) = place {
            self.search_bytes = self.search_bytes.saturating_sub(length);
        }
        Ok(matches!(place, Place::Whole(_)))
    }

    fn place(&mut self, at: u64) -> io::Result<Place> {
        if self.limit - at < HEADER {
            return Ok(Place::Cut);
        }
        let header = self.window.bytes(at..at + HEADER)?;
        let Some((length, crc)) = split_header(header) else {
            return Ok(Place::BadLength);
        };
        if length > i64::MAX as u64 || !self.is_crc_of(length, crc) {
            return Ok(Place::BadLength);
        }
        if length > self.limit - at - HEADER || self.limit - at - HEADER - length < 4 {
            return Ok(Place::Cut);
        }
        if length > LONGEST_PAYLOAD {
            return Ok(Place::Oversized(length));
        }
        let rest = self.window.bytes(at + HEADER..at + FRAME + length)?;
        Ok(match checked(rest) {
            Some(_) => Place::Whole(length),
            None => Place::BadPayload(length),
        })
    }

    #[inline]
    fn is_crc_of(&self, length: u64, crc: u32) -> bool {
        let known = usize::try_from(length).ok();
        match known.and_then(|length| self.crc_of_length.get(length)) {
            Some(known) => *known == crc,
            None => masked_crc(&length.to_le_bytes()) == crc,
        }
    }

    /// Whether a length with its crc stands there.
    fn has_length(&mut self, at: u64) -> io::Result<bool> {
        if self.limit - at < HEADER {
            return Ok(false);
        }
        let header = self.window.bytes(at..at + HEADER)?;
        let header = split_header(header);
        Ok(header.is_some_and(|(length, crc)| self.is_crc_of(length, crc)))
    }

    fn lose(&mut self, end: u64, reason: Reason) {
        self.damage.push(Damage {
            offset: self.position,
            length: end - self.position,
            reason,
        });
        self.position = end;
    }

    /// Behind the last whole record: where a later scan continues.
    pub fn committed(&self) -> u64 {
        self.committed
    }

    /// How much damage was met since it was last taken.
    pub fn damaged(&self) -> usize {
        self.damage.len()
    }

    pub fn take_damage(&mut self) -> Vec<Damage> {
        std::mem::take(&mut self.damage)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::tfrecord::testing::frame;

    /// The payloads that are read, and the damage.
    fn read(file: &[u8]) -> (Vec<Vec<u8>>, Vec<Damage>) {
        let mut reader = RecordReader::new(Cursor::new(file), 0, file.len() as u64);
        let mut payloads = Vec::new();
        while let Some(record) = reader.next_record().expect("memory can be read") {
            assert_eq!(
                record.end - record.offset,
                FRAME + record.payload.len() as u64
            );
            payloads.push(record.payload.to_vec());
        }
        (payloads, reader.take_damage())
    }

    fn payloads() -> Vec<Vec<u8>> {
        let lengths = [0, 1, 20, 40, 300, 5000, 3, 300_000, 7];
        let payload = |(number, length): (usize, &usize)| vec![b'a' + number as u8; *length];
        lengths.iter().enumerate().map(payload).collect()
    }

    #[test]
    fn records_of_any_length_are_read_back() {
        let written = payloads();
        let file: Vec<u8> = written.iter().flat_map(|payload| frame(payload)).collect();
        assert_eq!(read(&file), (written, Vec::new()));
    }

    #[test]
    fn any_flipped_bit_loses_one_record_and_says_so() {
        let written = &payloads()[..5];
        let file: Vec<u8> = written.iter().flat_map(|payload| frame(payload)).collect();
        let mut start = 0;
        for (number, payload) in written.iter().enumerate() {
            let length = FRAME + payload.len() as u64;
            let mut others = written.to_vec();
            others.remove(number);
            for bit in 8 * start..8 * (start + length) {
                let mut flipped = file.clone();
                flipped[bit as usize / 8] ^= 1 << (bit % 8);
                let reason = if bit < 8 * (start + HEADER) {
                    Reason::BadLength
                } else {
                    Reason::BadChecksum
                };
                let lost = Damage {
                    offset: start,
                    length,
                    reason,
                };
                assert_eq!(read(&flipped), (others.clone(), vec![lost]));
            }
            start += length;
        }
    }

    #[test]
    fn a_length_that_points_at_the_end_hides_no_record() {
        let second = frame(b"second");
        for behind in 0..HEADER as usize {
            let cut = 112;
            let stated = cut + 2 * second.len() - behind - FRAME as usize;
            let first = &frame(&vec![b'x'; stated])[..cut];
            let file = [first, &second, &second].concat();
            let (payloads, damage) = read(&file);
            assert_eq!(payloads, [b"second", b"second"], "{behind} bytes behind it");
            assert_eq!(damage.len(), 1);
            assert_eq!(damage[0].length, first.len() as u64);
        }
    }

    #[test]
    fn what_is_behind_a_missing_piece_is_found() {
        let first = frame(&[b'x'; 5000]);
        let second = frame(b"second");
        let file = [&first[..2000], &second, &second].concat();
        let (payloads, damage) = read(&file);
        assert_eq!(payloads, [b"second", b"second"]);
        let lost = Damage {
            offset: 0,
            length: 2000,
            reason: Reason::Unfinished,
        };
        assert_eq!(damage, [lost]);
    }
}
