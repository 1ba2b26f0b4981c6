//! Owns the record framing of LevelDB logs: 32 KiB blocks, checked chunks, resync after damage.
//!
//! A log begins with a header of the format that uses it (`HEADER` bytes, not interpreted here) and
//! goes on as chunks: crc u32le, length u16le, type u8, payload. The crc is CRC-32 IEEE over type and
//! payload. No chunk crosses a block; fewer than seven bytes left in a block are padding. Blocks are
//! counted from an *origin*: 0 as specified, or 7 where a writer forgot to count the header
//! (wandb-core before 0.17.6). The reader never stitches over damage: a record is whole or lost.

use std::io::{self, Read, Seek};
use std::ops::Range;

use crate::damage::{Damage, Reason};
use crate::window::Window;

/// Bytes of a block.
pub const BLOCK: u64 = 32 * 1024;
/// Bytes of the file header, and of a chunk header.
pub const HEADER: u64 = 7;
/// Blocks that are walked under both origins when the first bad chunk is met.
const PROBE_BLOCKS: u64 = 4;

const FULL: u8 = 1;
const FIRST: u8 = 2;
const LAST: u8 = 4; // 3 is what lies between

/// A whole record: where it begins and ends in the file, and its bytes.
#[derive(Debug)]
pub struct Frame<'a> {
    pub offset: u64,
    pub end: u64,
    pub payload: &'a [u8],
}

/// What stands at one position.
enum Chunk {
    /// Type, and where the payload lies.
    Whole(u8, Range<u64>),
    /// The end of a block, too short for a chunk.
    Padding(u64),
    /// A header of zeros: nothing up to the next block.
    Zeros(u64),
    /// The file ends before the chunk does.
    Cut,
    Bad(Reason),
}

/// Reads the records of a log one after the other.
pub struct LogReader<S> {
    window: Window<S>,
    limit: u64,
    origin: Option<u64>,
    position: u64,
    /// Behind the last chunk that was accepted: where another origin is tried from.
    accepted: u64,
    /// Behind the last whole record: where a later scan continues.
    committed: u64,
    partial: Option<u64>,
    scratch: Vec<u8>,
    lost: Option<(u64, Reason)>,
    damage: Vec<Damage>,
}

impl<S: Read + Seek> LogReader<S> {
    /// A reader of the chunks in `source[offset..limit]`; `origin` None finds out by itself.
    pub fn new(source: S, offset: u64, limit: u64, origin: Option<u64>) -> Self {
        let offset = offset.max(HEADER);
        Self {
            window: Window::new(source),
            limit,
            origin,
            position: offset,
            accepted: offset,
            committed: offset,
            partial: None,
            scratch: Vec::new(),
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
                self.limit = self.position;
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
            self.window.bytes(last)?
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
            let chunk = self.chunk_at(self.position, self.origin.unwrap_or(0))?;
            if chunk.is_trouble() && self.other_origin_fits()? {
                continue;
            }
            match chunk {
                Chunk::Whole(kind, payload) => {
                    self.position = payload.end;
                    self.accepted = payload.end;
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
                Chunk::Bad(reason) => {
                    self.lose(self.position, reason);
                    let next = next_block(self.position, self.origin.unwrap_or(0));
                    self.position = next.min(self.limit);
                }
                Chunk::Cut => {
                    self.end();
                    return Ok(None);
                }
            }
        }
    }

    /// Where a later scan continues: behind the last whole record.
    pub fn committed(&self) -> u64 {
        self.committed
    }

    /// The origin, once the bytes have shown which it is.
    pub fn origin(&self) -> Option<u64> {
        self.origin
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
            }
            _ if self.partial.is_none() => {
                self.lose(start, Reason::Orphan);
                return Ok(None);
            }
            _ => {}
        }
        self.scratch
            .extend_from_slice(self.window.bytes(payload.clone())?);
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
        if let Some((offset, reason)) = self.lost.take() {
            self.damage.push(Damage {
                offset,
                length: end - offset,
                reason,
            });
        }
    }

    /// The file ends here: what is open is lost, or not yet written.
    fn end(&mut self) {
        if self.partial.is_some() || self.position < self.limit {
            self.lose(self.position, Reason::CutTail);
        }
        self.close_lost(self.limit);
        self.position = self.limit;
    }

    /// What stands at `position` if blocks are counted from `origin`.
    fn chunk_at(&mut self, position: u64, origin: u64) -> io::Result<Chunk> {
        let block_end = next_block(position, origin);
        if block_end - position < HEADER {
            let to = block_end.min(self.limit);
            // A file may end within padding; then only zeros are padding.
            let is_padding = to == block_end || self.is_zero(position..to)?;
            return Ok(if is_padding && to > position {
                Chunk::Padding(to)
            } else {
                Chunk::Cut
            });
        }
        if position + HEADER > self.limit {
            return Ok(Chunk::Cut);
        }
        let header = self.window.bytes(position..position + HEADER)?;
        if header == [0; HEADER as usize] {
            return Ok(Chunk::Zeros(block_end.min(self.limit)));
        }
        let crc = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        let length = u64::from(u16::from_le_bytes([header[4], header[5]]));
        let kind = header[6];
        let end = position + HEADER + length;
        if end > block_end || !(FULL..=LAST).contains(&kind) {
            return Ok(Chunk::Bad(Reason::BadHeader));
        }
        if end > self.limit {
            return Ok(Chunk::Cut);
        }
        let checked = self.window.bytes(position + HEADER - 1..end)?;
        if crc32fast::hash(checked) != crc {
            return Ok(Chunk::Bad(Reason::BadChecksum));
        }
        Ok(Chunk::Whole(kind, position + HEADER..end))
    }

    fn is_zero(&mut self, range: Range<u64>) -> io::Result<bool> {
        Ok(self.window.bytes(range)?.iter().all(|byte| *byte == 0))
    }

    /// Whether the blocks turn out to be counted from the other origin; if so, goes back and on.
    ///
    /// Tried where reading under origin 0 fails, until one of the two has shown itself: both walks
    /// start behind the last good chunk, and the one that finds more whole chunks is right.
    fn other_origin_fits(&mut self) -> io::Result<bool> {
        if self.origin.is_some() {
            return Ok(false);
        }
        let straight = self.walk(0)?;
        let shifted = self.walk(HEADER)?;
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

    /// How many bytes of whole chunks follow the last good one, if blocks begin at `origin`.
    fn walk(&mut self, origin: u64) -> io::Result<u64> {
        let mut position = self.accepted;
        let stop = self.limit.min(self.position + PROBE_BLOCKS * BLOCK);
        let mut found = 0;
        while position < stop {
            position = match self.chunk_at(position, origin)? {
                Chunk::Whole(_, payload) => {
                    found += payload.end - position;
                    payload.end
                }
                Chunk::Padding(to) | Chunk::Zeros(to) => to,
                Chunk::Bad(_) => next_block(position, origin),
                Chunk::Cut => break,
            };
        }
        Ok(found)
    }
}

impl Chunk {
    /// What other bytes than a log's would look like.
    fn is_trouble(&self) -> bool {
        matches!(self, Self::Zeros(_) | Self::Bad(_) | Self::Cut)
    }
}

/// Where the block that holds `position` ends.
fn next_block(position: u64, origin: u64) -> u64 {
    position + BLOCK - (position - origin) % BLOCK
}

/// Whether a chunk may stand here if blocks are counted from `origin`.
fn is_legal(chunk: &Range<u64>, origin: u64) -> bool {
    let block_end = next_block(chunk.start, origin);
    block_end - chunk.start >= HEADER && chunk.end <= block_end
}
