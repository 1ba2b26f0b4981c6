//! Owns the chunks of LevelDB logs: what stands at a position, and where whole chunks begin again.

use std::io::{self, Read, Seek};
use std::ops::Range;

use crate::damage::Reason;
use crate::window::Window;

/// Bytes of a block.
pub const BLOCK: u64 = 32 * 1024;
/// Bytes of the file header, and of a chunk header.
pub const HEADER: u64 = 7;

pub const FULL: u8 = 1;
pub const FIRST: u8 = 2;
pub const LAST: u8 = 4; // 3 is what lies between

/// What stands at one position.
pub enum Chunk {
    /// Type, and where the payload lies.
    Whole(u8, Range<u64>),
    /// The end of a block, too short for a chunk.
    Padding(u64),
    /// Nothing but zeros up to the end of the block.
    Zeros(u64),
    /// The file ends before the chunk does, if its header is right.
    Cut,
    Bad(Reason),
}

impl Chunk {
    /// What other bytes than a log's would look like.
    pub fn is_trouble(&self) -> bool {
        matches!(self, Self::Zeros(_) | Self::Bad(_) | Self::Cut)
    }
}

/// A chunk's header, as far as it can be one.
struct Header {
    crc: u32,
    kind: u8,
    /// Of the whole chunk, the header included.
    length: usize,
}

impl Header {
    /// None if no chunk begins so; `room` is what is left of the block.
    #[inline]
    fn of(header: &[u8], room: usize) -> Option<Self> {
        let header: &[u8; HEADER as usize] = header.first_chunk()?;
        let kind = header[6];
        let payload = usize::from(u16::from_le_bytes([header[4], header[5]]));
        let length = HEADER as usize + payload;
        let crc = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        let is_one = length <= room && (FULL..=LAST).contains(&kind);
        is_one.then_some(Self { crc, kind, length })
    }

    /// Whether this is what the checksum is of: type and payload.
    fn vouches_for(&self, checked: &[u8]) -> bool {
        crc32fast::hash(checked) == self.crc
    }
}

/// The chunks of `source[..limit]`.
pub struct Chunks<S> {
    window: Window<S>,
    limit: u64,
}

impl<S: Read + Seek> Chunks<S> {
    pub fn new(source: S, limit: u64) -> Self {
        let window = Window::new(source);
        Self { window, limit }
    }

    /// Where the file ends.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// The file turned out to end here.
    pub fn shorten(&mut self, limit: u64) {
        self.limit = limit;
    }

    pub fn bytes(&mut self, range: Range<u64>) -> io::Result<&[u8]> {
        self.window.bytes(range)
    }

    /// What stands at `position` if blocks are counted from `origin`.
    pub fn at(&mut self, position: u64, origin: u64) -> io::Result<Chunk> {
        let block_end = next_block(position, origin);
        if block_end - position < HEADER {
            return self.padding(position, block_end);
        }
        if position + HEADER > self.limit {
            return Ok(Chunk::Cut);
        }
        let bytes = self.window.bytes(position..position + HEADER)?;
        let Some(header) = Header::of(bytes, (block_end - position) as usize) else {
            return self.no_header(position, block_end);
        };
        let end = position + header.length as u64;
        let is_beyond = end > self.limit;
        let checked = self
            .window
            .bytes(position + HEADER - 1..end.min(self.limit))?;
        Ok(match (header.vouches_for(checked), is_beyond) {
            (true, false) => Chunk::Whole(header.kind, position + HEADER..end),
            (false, false) => Chunk::Bad(Reason::BadChecksum),
            // All of the payload is there, so it is the length that is wrong.
            (true, true) => Chunk::Bad(Reason::BadHeader),
            (false, true) => Chunk::Cut,
        })
    }

    /// Less than a chunk is left of the block.
    fn padding(&mut self, position: u64, block_end: u64) -> io::Result<Chunk> {
        let to = block_end.min(self.limit);
        // A file may end within padding; then only zeros are padding.
        let is_padding = to == block_end || is_zero(self.window.bytes(position..to)?);
        Ok(if is_padding && to > position {
            Chunk::Padding(to)
        } else {
            Chunk::Cut
        })
    }

    fn no_header(&mut self, position: u64, block_end: u64) -> io::Result<Chunk> {
        let to = block_end.min(self.limit);
        let rest = self.window.bytes(position..to)?;
        Ok(match (is_zero(&rest[..HEADER as usize]), is_zero(rest)) {
            (_, true) => Chunk::Zeros(to),
            (true, false) => Chunk::Bad(Reason::Zeroed),
            (false, false) => Chunk::Bad(Reason::BadHeader),
        })
    }

    /// Where, behind a bad chunk, whole chunks begin that lead to the end of its block.
    ///
    /// Bytes of a payload may look like a chunk. That one begins where another ends, and so on up to
    /// the end of the block, they hardly may: only then are they taken for what they look like. Bytes
    /// that were made so cannot be told from what was written.
    pub fn resync(&mut self, position: u64, origin: u64) -> io::Result<Option<u64>> {
        let block_end = next_block(position, origin);
        if position >= self.limit {
            return Ok(None);
        }
        let room = (block_end - position) as usize;
        let rest = self.window.bytes(position..block_end.min(self.limit))?;
        let start = chain_start(rest, room);
        Ok(start.map(|start| position + start as u64))
    }

    /// How many bytes of whole chunks lie between here and there, if blocks begin at `origin`.
    pub fn walk(&mut self, range: Range<u64>, origin: u64) -> io::Result<u64> {
        let mut position = range.start;
        let mut found = 0;
        while position < range.end {
            position = match self.at(position, origin)? {
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

/// The first place behind `rest[0]` from which whole chunks lead to the end.
///
/// `room` is what the block has from there on; it is more than `rest` only where the file ends. Goes
/// backwards, so that a checksum is only computed where what follows is known to be right.
fn chain_start(rest: &[u8], room: usize) -> Option<usize> {
    let zeros_from = rest.iter().rposition(|byte| *byte != 0)? + 1;
    let mut leads_on = vec![false; rest.len() + 1];
    let mut first = None;
    for at in (1..=rest.len()).rev() {
        if rest.len() - at < HEADER as usize || at >= zeros_from {
            leads_on[at] = true;
            continue;
        }
        let Some(header) = Header::of(&rest[at..], room - at) else {
            continue;
        };
        let end = at + header.length;
        leads_on[at] = end > rest.len(); // a cut one may follow, though it is no beginning
        if !leads_on[at]
            && leads_on[end]
            && header.vouches_for(&rest[at + HEADER as usize - 1..end])
        {
            leads_on[at] = true;
            first = Some(at);
        }
    }
    first
}

/// Where the block that holds `position` ends.
pub fn next_block(position: u64, origin: u64) -> u64 {
    position + BLOCK - (position - origin) % BLOCK
}

/// Whether a chunk may stand here if blocks are counted from `origin`.
pub fn is_legal(chunk: &Range<u64>, origin: u64) -> bool {
    let block_end = next_block(chunk.start, origin);
    block_end - chunk.start >= HEADER && chunk.end <= block_end
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes
        .chunks(64)
        .all(|part| part.iter().fold(0, |all, byte| all | byte) == 0)
}

#[cfg(test)]
pub mod testing {
    /// A chunk as it has to be.
    pub fn chunk(kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&[kind]);
        crc.update(payload);
        let length = (payload.len() as u16).to_le_bytes();
        [&crc.finalize().to_le_bytes()[..], &length, &[kind], payload].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::chunk;
    use super::*;

    #[test]
    fn a_chunk_inside_a_payload_is_no_place_to_go_on_from() {
        let hidden = chunk(FULL, b"looks like one");
        let mut rest = chunk(FULL, &[&b"before"[..], &hidden, b"behind it"].concat());
        rest[0] ^= 1;
        assert_eq!(chain_start(&rest, rest.len()), None);
        let bad = rest.len();
        rest.extend(chunk(FULL, b"the next record"));
        assert_eq!(chain_start(&rest, rest.len()), Some(bad));
    }

    #[test]
    fn between_two_bad_chunks_nothing_is_taken() {
        let good = chunk(FULL, b"good");
        let mut bad = chunk(FULL, b"bad");
        bad[0] ^= 1;
        let rest = [&bad[..], &good, &bad, &good].concat();
        let last = rest.len() - good.len();
        assert_eq!(chain_start(&rest, rest.len()), Some(last));
    }

    #[test]
    fn zeros_are_quickly_no_chunks() {
        assert_eq!(chain_start(&[0; BLOCK as usize], BLOCK as usize), None);
    }
}
