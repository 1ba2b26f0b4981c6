//! Writes logs as a program of bytes says: records of any length under both origins, then faults.

use std::collections::HashSet;
use std::ops::Range;

pub const HEADER: &[u8] = b":W&B\xe1\xbe\x00";
pub const BLOCK: usize = 32 * 1024;

/// A log, and what was put into it.
pub struct Written {
    pub file: Vec<u8>,
    /// Where each record begins and ends, and its payload.
    pub records: Vec<(Range<usize>, Vec<u8>)>,
    pub is_intact: bool,
    /// Whether the bytes of payloads, maybe with the faults, make up a chunk that nobody wrote: then
    /// no reader can know what was written.
    pub is_ambiguous: bool,
}

/// Bytes of a program, zero behind its end.
struct Program<'a>(&'a [u8]);

impl<'a> Program<'a> {
    fn byte(&mut self) -> usize {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        usize::from(*first)
    }

    fn number(&mut self) -> usize {
        self.byte() | self.byte() << 8
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

pub fn write(program: &[u8]) -> Written {
    let mut program = Program(program);
    let origin = if program.byte() % 2 == 0 { 0 } else { 7 };
    let faults = program.byte() % 4;
    let fault_program = program.take(4 * faults);
    let (mut file, mut records, mut chunks) = (HEADER.to_vec(), Vec::new(), HashSet::new());
    while !program.0.is_empty() && file.len() < 10 * BLOCK {
        let payload = record(&mut program);
        let start = add(&mut file, &mut chunks, &payload, origin);
        records.push((start..file.len(), payload));
    }
    let intact = file.clone();
    let mut fault_program = Program(fault_program);
    for _ in 0..faults {
        fault(&mut fault_program, &mut file);
    }
    let is_intact = file == intact;
    let is_ambiguous =
        (HEADER.len()..file.len()).any(|at| !chunks.contains(&at) && is_chunk(&file[at..]));
    Written { file, records, is_intact, is_ambiguous }
}

/// Bytes as they come, or a long line of output.
fn record(program: &mut Program<'_>) -> Vec<u8> {
    let length = program.byte();
    if length < 0xf0 {
        return program.take(length).to_vec();
    }
    let length = program.number() * if length < 0xf8 { 1 } else { 2 };
    let mut payload = vec![13 << 3 | 2]; // output_raw
    varint(&mut payload, 1 + 3 + length);
    payload.push(3 << 3 | 2); // line, its length in three bytes
    payload.extend([length as u8 | 0x80, (length >> 7) as u8 | 0x80, (length >> 14) as u8]);
    payload.resize(payload.len() + length, b'x');
    payload
}

fn varint(bytes: &mut Vec<u8>, mut value: usize) {
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Adds a record in as many chunks as it needs; where the first begins.
fn add(
    file: &mut Vec<u8>,
    chunks: &mut HashSet<usize>,
    payload: &[u8],
    origin: usize,
) -> usize {
    let left = |file: &Vec<u8>| BLOCK - (file.len() - origin) % BLOCK;
    let (mut start, mut rest) = (None, payload);
    loop {
        if left(file) < 7 {
            file.resize(file.len() + left(file), 0);
        }
        let (part, tail) = rest.split_at(rest.len().min(left(file) - 7));
        let kind = match (start.is_none(), tail.is_empty()) {
            (true, true) => 1,
            (true, false) => 2,
            (false, false) => 3,
            (false, true) => 4,
        };
        start = start.or(Some(file.len()));
        chunks.insert(file.len());
        add_chunk(file, kind, part);
        rest = tail;
        if tail.is_empty() {
            return start.unwrap_or(0);
        }
    }
}

fn add_chunk(file: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    file.extend(crc(kind, payload).to_le_bytes());
    file.extend((payload.len() as u16).to_le_bytes());
    file.push(kind);
    file.extend(payload);
}

fn crc(kind: u8, payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&[kind]);
    crc.update(payload);
    crc.finalize()
}

/// Whether these bytes begin with a whole chunk.
fn is_chunk(bytes: &[u8]) -> bool {
    let Some((header, rest)) = bytes.split_first_chunk::<7>() else { return false };
    let [a, b, c, d, low, high, kind] = *header;
    let payload = rest.get(..usize::from(u16::from_le_bytes([low, high])));
    (1..=4).contains(&kind)
        && payload.is_some_and(|payload| crc(kind, payload) == u32::from_le_bytes([a, b, c, d]))
}

/// A flipped bit, a range of zeros, or a cut end.
fn fault(program: &mut Program<'_>, file: &mut Vec<u8>) {
    let (kind, scale) = (program.byte(), program.byte());
    let at = HEADER.len() + program.number() * (1 + scale % 8);
    match kind % 3 {
        0 => {
            if let Some(byte) = file.get_mut(at) {
                *byte ^= 1 << (kind / 3 % 8);
            }
        }
        1 => {
            let end = file.len().min(at + 512 * scale);
            if let Some(range) = file.get_mut(at..end) {
                range.fill(0);
            }
        }
        _ => file.truncate(at),
    }
}
