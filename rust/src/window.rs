//! Owns reading a file through a small buffer: memory stays flat, and a file that shrinks is an error
//! rather than the end of the process, as it would be with a mapping.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

/// How much is read at once: small enough to stay in cache, large enough to hide the system call.
const WINDOW: u64 = 256 * 1024;

/// A buffer that something longer has made larger than this is not kept for the rest.
const KEPT: usize = 4 << 20;

/// A sliding buffer over a file that may shrink while it is read.
pub struct Window<S> {
    source: S,
    start: u64,
    bytes: Vec<u8>,
}

impl<S: Read + Seek> Window<S> {
    pub fn new(source: S) -> Self {
        Self {
            source,
            start: 0,
            bytes: Vec::new(),
        }
    }

    /// The bytes of a range, all of which must exist. More than a window is held only while it is
    /// asked for.
    #[inline]
    pub fn bytes(&mut self, range: Range<u64>) -> io::Result<&[u8]> {
        let held = self.start..self.start + self.bytes.len() as u64;
        if range.start < held.start || range.end > held.end {
            self.fill(range.start, (range.end - range.start).max(WINDOW))?;
        }
        let from = (range.start - self.start) as usize;
        let to = (range.end - self.start) as usize;
        self.bytes
            .get(from..to)
            .ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter"))
    }

    /// What is held from a place on, if it is that much.
    #[inline]
    pub fn held(&self, start: u64, length: usize) -> Option<&[u8]> {
        let from = usize::try_from(start.checked_sub(self.start)?).ok()?;
        self.bytes.get(from..from.checked_add(length)?)
    }

    #[inline(never)]
    fn fill(&mut self, start: u64, length: u64) -> io::Result<()> {
        self.source.seek(SeekFrom::Start(start))?;
        self.start = start;
        self.bytes.clear();
        if length == WINDOW {
            self.bytes.shrink_to(KEPT);
        }
        let taken = self.source.by_ref().take(length);
        { taken }.read_to_end(&mut self.bytes)?;
        Ok(())
    }
}
