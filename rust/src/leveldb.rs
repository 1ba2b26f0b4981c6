//! Owns the record framing of LevelDB logs: 32 KiB blocks, checked chunks, resync after damage.
//!
//! A log begins with a header of the format that uses it (`HEADER` bytes, not interpreted here) and
//! goes on as chunks: crc u32le, length u16le, type u8, payload. The crc is CRC-32 IEEE over type and
//! payload. No chunk crosses a block; fewer than seven bytes left in a block are padding. Blocks are
//! counted from an *origin*: 0 as specified, or 7 where a writer forgot to count the header
//! (wandb-core before 0.17.6). The reader never stitches over damage: a record is whole or lost.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

mod chunk;
pub mod writing;

pub use chunk::{BLOCK, HEADER};

use crate::damage::{Damage, Reason};
use crate::leveldb::chunk::{Chunk, Chunks, FIRST, FULL, LAST, is_legal, next_block};
use crate::unreadable::Unreadable;

/// Blocks that are walked under both origins when a bad chunk is met and the origin is not known.
const PROBE_BLOCKS: u64 = 4;
/// A longer record is lost, so that no file decides how much memory is used. W&B's server takes
/// no row beyond 10 MiB.
pub const LONGEST_RECORD: usize = 256 << 20;
/// A buffer that a long record has made larger than this is not kept for the others.
const KEPT_BUFFER: usize = 1 << 20;

/// What a format says of a log before its first chunk: what is its own (six bytes), and a version.
pub struct Header {
    /// None where the file is cut within its header: then it has no records.
    pub version: Option<u8>,
    /// Bytes of the file.
    pub length: u64,
}

/// Reads the header of a file of the format that begins with `magic`.
pub fn header_of<S: Read + Seek>(source: &mut S, magic: &[u8; 6]) -> Result<Header, Unreadable> {
    let length = source.seek(SeekFrom::End(0))?;
    source.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    source.by_ref().take(HEADER).read_to_end(&mut bytes)?;
    if !magic.starts_with(&bytes[..bytes.len().min(magic.len())]) {
        return Err(Unreadable::OtherFormat);
    }
    let version = bytes.get(magic.len()).copied();
    Ok(Header { version, length })
}

/// A whole record: where it begins and ends in the file, and its bytes.
#[derive(Debug)]
pub struct Frame<'a> {
    pub offset: u64,
    pub end: u64,
    pub payload: &'a [u8],
}

/// Reads the records of a log one after the other.
pub struct LogReader<S> {
    chunks: Chunks<S>,
    origin: Option<u64>,
    position: u64,
    /// Behind the last chunk that was accepted: where another origin is tried from.
    accepted: u64,
    /// Up to where both origins were tried since then, and neither has shown itself.
    probed: u64,
    /// Behind the last whole record: where a later scan continues.
    committed: u64,
    partial: Option<u64>,
    scratch: Vec<u8>,
    longest: usize,
    lost: Option<(u64, Reason)>,
    damage: Vec<Damage>,
}

impl<S: Read + Seek> LogReader<S> {
    /// A reader of the chunks in `source[offset..limit]`; `origin` None finds out by itself.
    pub fn new(source: S, offset: u64, limit: u64, origin: Option<u64>) -> Self {
        let offset = offset.max(HEADER);
        Self {
            chunks: Chunks::new(source, limit),
            origin,
            position: offset,
            accepted: offset,
            probed: offset,
            committed: offset,
            partial: None,
            scratch: Vec::new(),
            longest: LONGEST_RECORD,
            lost: None,
            damage: Vec::new(),
        }
    }

    /// The next whole record, or None where the file ends.
    ///
    /// A file that shrinks while it is read ends where reading fails.
    pub fn next_record(&mut self) -> io::Result<Option<Frame<'_>>> {
        let found = match self.advance() {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.lose(self.position, Reason::CutTail);
                self.chunks.shorten(self.position);
                self.end();
                None
            }
            other => other?,
        };
        let Some((offset, last)) = found else {
            return Ok(None);
        };
        let end = last.end;
        self.committed = end;
        let is_full = last.start == offset + HEADER;
        let payload = if is_full {
            self.chunks.bytes(last)?
        } else {
            &self.scratch
        };
        Ok(Some(Frame {
            offset,
            end,
            payload,
        }))
    }

    /// Moves behind the next whole record: where it begins, and its last chunk's payload.
    fn advance(&mut self) -> io::Result<Option<(u64, Range<u64>)>> {
        loop {
            let chunk = self.chunks.at(self.position, self.origin.unwrap_or(0))?;
            if chunk.is_trouble() && self.other_origin_fits()? {
                continue;
            }
            match chunk {
                Chunk::Whole(kind, payload) => {
                    self.position = payload.end;
                    self.accepted = payload.end;
                    self.probed = payload.end;
                    self.settle_origin(&payload);
                    if let Some(start) = self.take_chunk(kind, &payload)? {
                        return Ok(Some((start, payload)));
                    }
                }
                Chunk::Padding(to) => self.position = to,
                Chunk::Zeros(to) => {
                    self.lose(self.position, Reason::Zeroed);
                    self.position = to;
                }
                Chunk::Bad(reason) => self.skip_bad(reason)?,
                Chunk::Cut => {
                    if !self.skip_false_end()? {
                        self.end();
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Goes on where whole chunks begin again in this block, else with the next block.
    fn skip_bad(&mut self, reason: Reason) -> io::Result<()> {
        let origin = self.origin.unwrap_or(0);
        let resync = self.chunks.resync(self.position, origin)?;
        self.lose(self.position, reason);
        let next = resync.unwrap_or_else(|| next_block(self.position, origin));
        self.position = next.min(self.chunks.limit());
        Ok(())
    }

    /// Whether the chunk that seems to be cut off by the end has others behind it; goes there if so.
    ///
    /// Then it is its length that is wrong: where a file is really cut, nothing follows.
    fn skip_false_end(&mut self) -> io::Result<bool> {
        let origin = self.origin.unwrap_or(0);
        let resync = self.chunks.resync(self.position, origin)?;
        if let Some(next) = resync {
            self.lose(self.position, Reason::BadHeader);
            self.position = next;
        }
        Ok(resync.is_some())
    }

    /// Where a later scan continues: behind the last whole record.
    pub fn committed(&self) -> u64 {
        self.committed
    }

    /// The origin, once the bytes have shown which it is.
    pub fn origin(&self) -> Option<u64> {
        self.origin
    }

    /// How many places were lost since they were last taken.
    pub fn damaged(&self) -> usize {
        self.damage.len()
    }

    /// What was lost since this was last asked.
    pub fn take_damage(&mut self) -> Vec<Damage> {
        std::mem::take(&mut self.damage)
    }

    /// Takes one chunk in; the start of the record it completes, if it does.
    fn take_chunk(&mut self, kind: u8, payload: &Range<u64>) -> io::Result<Option<u64>> {
        let start = payload.start - HEADER;
        match kind {
            FULL | FIRST => {
                self.drop_partial();
                self.close_lost(start);
                if kind == FULL {
                    return Ok(Some(start));
                }
                self.partial = Some(start);
                self.scratch.clear();
                self.scratch.shrink_to(KEPT_BUFFER);
            }
            _ if self.partial.is_none() => {
                self.lose(start, Reason::Orphan);
                return Ok(None);
            }
            _ => {}
        }
        if self.scratch.len() + (payload.end - payload.start) as usize > self.longest {
            self.lose(start, Reason::Oversized);
            return Ok(None);
        }
        let bytes = self.chunks.bytes(payload.clone())?;
        self.scratch.extend_from_slice(bytes);
        Ok(if kind == LAST {
            self.partial.take()
        } else {
            None
        })
    }

    /// Bytes from here on belong to nothing whole, up to the next record that does.
    fn lose(&mut self, at: u64, reason: Reason) {
        let start = self.partial.take().unwrap_or(at);
        self.lost.get_or_insert((start, reason));
    }

    fn drop_partial(&mut self) {
        if let Some(start) = self.partial.take() {
            self.lost.get_or_insert((start, Reason::Unfinished));
        }
    }

    fn close_lost(&mut self, end: u64) {
        if let Some((offset, reason)) = self.lost.take()
            && offset < end
        {
            self.damage.push(Damage {
                offset,
                length: end - offset,
                reason,
            });
        }
    }

    /// The file ends here: what is open is lost, or not yet written.
    fn end(&mut self) {
        let limit = self.chunks.limit();
        if self.partial.is_some() || self.position < limit {
            self.lose(self.position, Reason::CutTail);
        }
        self.close_lost(limit);
        self.position = limit;
    }

    /// Whether the blocks turn out to be counted from the other origin; if so, goes back and on.
    ///
    /// Tried where reading under origin 0 fails, until one of the two has shown itself: both walks
    /// start behind the last good chunk, and the one that finds more whole chunks is right. What
    /// was walked once in vain is not walked again.
    fn other_origin_fits(&mut self) -> io::Result<bool> {
        if self.origin.is_some() || self.position < self.probed {
            return Ok(false);
        }
        let stop = self.position + PROBE_BLOCKS * BLOCK;
        let range = self.probed..stop.min(self.chunks.limit());
        let straight = self.chunks.walk(range.clone(), 0)?;
        let shifted = self.chunks.walk(range.clone(), HEADER)?;
        self.probed = range.end;
        if shifted <= straight {
            return Ok(false);
        }
        self.origin = Some(HEADER);
        self.position = self.accepted;
        self.lost = self.lost.filter(|(start, _)| *start < self.accepted);
        Ok(true)
    }

    /// A whole chunk where origin 7 allows none shows that the origin is 0.
    fn settle_origin(&mut self, payload: &Range<u64>) {
        let chunk = payload.start - HEADER..payload.end;
        if self.origin.is_none() && !is_legal(&chunk, HEADER) {
            self.origin = Some(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::leveldb::chunk::testing::chunk;

    #[test]
    fn a_record_that_is_too_long_is_lost_and_the_next_one_is_not() {
        let parts = [
            (FIRST, &b"1234"[..]),
            (3, b"5678"),
            (LAST, b"90"),
            (FULL, b"next"),
        ];
        let chunks = parts.map(|(kind, payload)| chunk(kind, payload)).concat();
        let file = [&[0; HEADER as usize][..], &chunks].concat();
        let lost = chunks.len() as u64 - 11;
        for (longest, damage) in [(10, 0), (9, lost), (7, lost), (3, lost)] {
            let mut log = LogReader::new(Cursor::new(&file), 0, file.len() as u64, None);
            log.longest = longest;
            let mut last = Vec::new();
            while let Some(frame) = log.next_record().expect("a cursor can be read") {
                last = frame.payload.to_vec();
            }
            assert_eq!(last, b"next");
            let found = log.take_damage();
            assert_eq!(found.iter().map(|d| d.length).sum::<u64>(), damage);
            assert!(found.iter().all(|d| d.reason == Reason::Oversized));
        }
    }
}
