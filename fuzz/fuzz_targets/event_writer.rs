//! Writes event files as a program of bytes says: events of every form, then faults.

/// The payload of the first record: `brain.Event:2`.
pub const HEADER: &[u8] = b"\x1a\x0dbrain.Event:2";

/// A file, and what was put into it.
pub struct Written {
    pub file: Vec<u8>,
    /// The payloads.
    pub records: Vec<Vec<u8>>,
    /// Of each record its scalar, if it is one: tag, step and bits.
    pub scalars: Vec<Option<Scalar>>,
    pub is_intact: bool,
    /// Whether bytes make up a record where none was written: then no reader can know.
    pub is_ambiguous: bool,
}

pub type Scalar = (String, i64, u32);

/// What the tags of scalars begin with, and no others.
pub const SCALAR_TAG: &str = "tag ";

struct Program<'a>(&'a [u8]);

impl<'a> Program<'a> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn number(&mut self) -> usize {
        usize::from(self.byte()) | usize::from(self.byte()) << 8
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// A program as long as a file of some dozen events takes, out of a few bytes.
pub fn stretched(bytes: &[u8]) -> Vec<u8> {
    let mut state = bytes.iter().fold(1u64, |state, byte| {
        (state ^ u64::from(*byte)).wrapping_mul(0x0100_0001).wrapping_add(1)
    });
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..2048).map(next).collect()
}

pub fn write(program: &[u8]) -> Written {
    let mut program = Program(program);
    let faults = program.byte() % 4;
    let mut fault_program = Program(program.take(4 * usize::from(faults)));
    let mut scalars = vec![None];
    let mut records = vec![HEADER.to_vec()];
    while !program.0.is_empty() && records.len() < 200 {
        let (record, scalar) = event(&mut program);
        records.push(record);
        scalars.push(scalar);
    }
    let mut file: Vec<u8> = Vec::new();
    let mut starts = Vec::new();
    for record in &records {
        starts.push(file.len());
        file.extend(frame(record));
    }
    let intact = file.clone();
    for _ in 0..faults {
        fault(&mut fault_program, &mut file);
    }
    let is_ambiguous = (0..file.len()).any(|at| !starts.contains(&at) && is_record(&file[at..]));
    Written { is_intact: file == intact, file, records, scalars, is_ambiguous }
}

/// A scalar, a value of any plugin, or bytes as they come.
fn event(program: &mut Program<'_>) -> (Vec<u8>, Option<Scalar>) {
    let (kind, tag) = (program.byte(), format!("{SCALAR_TAG}{}", program.byte() % 8));
    let step = i64::from(program.byte());
    let mut head = vec![0x09];
    head.extend(1.7e9f64.to_le_bytes());
    head.extend([0x10, step as u8 | 0x80, (step >> 7) as u8]);
    match kind % 8 {
        0 => {
            let length = usize::from(program.byte());
            let bytes = program.take(length);
            let is_taken = bytes.windows(SCALAR_TAG.len()).any(|tag| tag == SCALAR_TAG.as_bytes());
            return (if is_taken { Vec::new() } else { bytes.to_vec() }, None);
        }
        1..=3 => {
            let bits = program.number() as u32 * 65_537;
            let value = [field(1, tag.as_bytes()), vec![0x15], bits.to_le_bytes().to_vec()];
            head.extend(field(5, &field(1, &value.concat())));
            return (head, Some((tag, step, bits)));
        }
        form => {
            const PLUGINS: [&str; 8] =
                ["histograms", "images", "audio", "text", "pr_curves", "mesh", "hparams", "x"];
            let plugin = PLUGINS[usize::from(program.byte()) % PLUGINS.len()];
            let length = usize::from(program.byte());
            let content = program.take(length);
            // Tags of their own: a scalar's would get the plugin.
            let tag = format!("{plugin} {tag}");
            let number = [8, 8, 5, 4][usize::from(form) - 4];
            let metadata = field(9, &field(1, &field(1, plugin.as_bytes())));
            let value = [field(1, tag.as_bytes()), field(number, content), metadata].concat();
            head.extend(field(5, &field(1, &value)));
            if form == 7 {
                head.extend([0xea, 0x5e, 2, 0x08, program.byte() & 0x7f]); // our field 1517: seq
            }
        }
    }
    (head, None)
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut written = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length > 0x7f {
        written.push(length as u8 | 0x80);
        length >>= 7;
    }
    written.push(length as u8);
    written.extend_from_slice(bytes);
    written
}

pub fn frame(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_le_bytes();
    let (length_crc, crc) = (masked_crc(&length), masked_crc(payload));
    [&length[..], &length_crc.to_le_bytes(), payload, &crc.to_le_bytes()].concat()
}

/// Bit by bit, so that it is not the decoder's own.
fn masked_crc(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
        }
    }
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Whether these bytes begin with a whole record.
fn is_record(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else { return false };
    let Some((crc, rest)) = rest.split_first_chunk::<4>() else { return false };
    let size = u64::from_le_bytes(*length);
    size < rest.len() as u64 && masked_crc(length) == u32::from_le_bytes(*crc)
}

/// A flipped bit, a range of zeros, a piece taken out, or a cut end.
fn fault(program: &mut Program<'_>, file: &mut Vec<u8>) {
    let (kind, scale) = (program.byte(), usize::from(program.byte()));
    let at = program.number() % (file.len() + 1);
    let end = file.len().min(at + 4 * scale);
    match kind % 4 {
        0 => {
            if let Some(byte) = file.get_mut(at) {
                *byte ^= 1 << (kind / 4 % 8);
            }
        }
        1 => {
            if let Some(range) = file.get_mut(at..end) {
                range.fill(0);
            }
        }
        2 if at < end => drop(file.drain(at..end)),
        _ => file.truncate(at),
    }
}
