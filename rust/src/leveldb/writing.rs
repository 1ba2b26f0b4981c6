//! Owns spelling records as chunks: the inverse of reading them, with blocks counted from the start.

use super::chunk::{BLOCK, FIRST, FULL, HEADER, LAST};

const MIDDLE: u8 = 3;
const HEADER_SIZE: usize = HEADER as usize;

/// Appends records to `out`, which the caller empties as it likes.
pub struct LogWriter {
    pub out: Vec<u8>,
    /// Where in its block the end of `out` will stand.
    at: usize,
}

impl LogWriter {
    /// A log that begins with this header of the format.
    pub fn new(header: [u8; HEADER_SIZE]) -> Self {
        Self {
            out: header.to_vec(),
            at: HEADER_SIZE,
        }
    }

    /// A record that `spell` appends to what it is given.
    ///
    /// Nearly all fit the block that is at work: they are spelled where they are to stand.
    pub fn record(&mut self, spell: impl FnOnce(&mut Vec<u8>)) {
        let start = self.out.len();
        self.out.extend_from_slice(&[0; HEADER_SIZE]);
        spell(&mut self.out);
        let size = self.out.len() - start;
        if self.at + size <= BLOCK as usize {
            self.seal(FULL, start);
            return;
        }
        let payload = self.out.split_off(start + HEADER_SIZE);
        self.out.truncate(start);
        self.pieces(&payload);
    }

    fn pieces(&mut self, payload: &[u8]) {
        let mut rest = payload;
        let mut is_first = true;
        loop {
            let left = BLOCK as usize - self.at;
            if left < HEADER_SIZE {
                self.out.resize(self.out.len() + left, 0);
                self.at = 0;
                continue;
            }
            let (piece, tail) = rest.split_at(rest.len().min(left - HEADER_SIZE));
            rest = tail;
            self.chunk(
                match (is_first, rest.is_empty()) {
                    (true, true) => FULL,
                    (true, false) => FIRST,
                    (false, false) => MIDDLE,
                    (false, true) => LAST,
                },
                piece,
            );
            if rest.is_empty() {
                return;
            }
            is_first = false;
        }
    }

    fn chunk(&mut self, kind: u8, piece: &[u8]) {
        let start = self.out.len();
        self.out.extend_from_slice(&[0; HEADER_SIZE]);
        self.out.extend_from_slice(piece);
        self.seal(kind, start);
    }

    /// Puts the header where room was left for it, before the payload that ends `out`.
    fn seal(&mut self, kind: u8, start: usize) {
        let chunk = &mut self.out[start..];
        let length = (chunk.len() - HEADER_SIZE) as u16; // less than a block
        chunk[4..6].copy_from_slice(&length.to_le_bytes());
        chunk[6] = kind;
        let crc = crc32fast::hash(&chunk[6..]);
        chunk[..4].copy_from_slice(&crc.to_le_bytes());
        self.at = (self.at + chunk.len()) % BLOCK as usize;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::leveldb::LogReader;

    #[test]
    fn records_of_all_lengths_around_a_block_are_read_back() {
        let block = BLOCK as usize;
        for first in block - 40..block + 10 {
            let mut log = LogWriter::new(*b":W&B\xe1\xbe\0");
            let records = [first, 0, 1, 3 * block, 5].map(|length| vec![b'x'; length]);
            for record in &records {
                log.record(|out| out.extend_from_slice(record));
            }
            let size = log.out.len() as u64;
            let mut reader = LogReader::new(Cursor::new(&log.out), 0, size, None);
            for record in &records {
                let frame = reader.next_record().expect("a cursor can be read");
                assert_eq!(frame.expect("a record").payload, record);
            }
            assert!(
                reader
                    .next_record()
                    .expect("a cursor can be read")
                    .is_none()
            );
            assert!(reader.take_damage().is_empty());
        }
    }
}
