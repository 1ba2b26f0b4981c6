//! Owns writing field 1517.

use super::{CODES, Code, DOUBLES, SHOWN, SOURCES, Source, TAG, TEXTS, flag};
use crate::protobuf::writing::{bytes, varint, varint_field, zigzag};

/// The field of the row at work.
#[derive(Default)]
pub struct OwnBuilder {
    codes: Vec<u8>,
    has_codes: bool,
    doubles: Vec<u8>,
    texts: Vec<u8>,
    /// Scratch.
    sources: Vec<u8>,
    message: Vec<u8>,
}

impl OwnBuilder {
    pub fn clear(&mut self) {
        self.codes.clear();
        self.has_codes = false;
        self.doubles.clear();
        self.texts.clear();
    }

    /// Bytes of what JSON does not say.
    pub fn len(&self) -> usize {
        self.codes.len() + self.doubles.len() + self.texts.len()
    }

    pub fn item(&mut self, code: Code, exact: &[u8]) {
        self.codes.push(code as u8);
        self.has_codes |= code != Code::AsSpelled;
        if code.has_double() {
            self.doubles.extend_from_slice(exact);
        } else if code == Code::ExactHistogram {
            bytes(&mut self.texts, TEXTS, exact);
        }
    }

    /// Appends the field. `step` and `time_ns` are what a reader has from the row itself.
    pub fn put(
        &mut self,
        out: &mut Vec<u8>,
        sources: &[Source],
        step: Option<i64>,
        time_ns: Option<i64>,
        shown: usize,
    ) {
        let mut expected_seq = 0; // for the first: what is lost before it changes no number
        self.sources.clear();
        let mut is_plain = sources.len() == 1;
        for source in sources {
            is_plain &= put_source(&mut self.sources, source, step, time_ns, expected_seq);
            expected_seq = source.seq.wrapping_add(1);
        }
        self.message.clear();
        if shown > 0 {
            varint_field(&mut self.message, SHOWN, shown as u64);
        }
        if !is_plain {
            bytes(&mut self.message, SOURCES, &self.sources);
        }
        if self.has_codes {
            bytes(&mut self.message, CODES, &self.codes);
        }
        if !self.doubles.is_empty() {
            bytes(&mut self.message, DOUBLES, &self.doubles);
        }
        self.message.extend_from_slice(&self.texts);
        out.extend_from_slice(&TAG);
        varint(out, self.message.len() as u64);
        out.extend_from_slice(&self.message);
    }
}

/// True if nothing had to be said besides how many values it has.
fn put_source(
    out: &mut Vec<u8>,
    source: &Source,
    step: Option<i64>,
    time_ns: Option<i64>,
    expected_seq: i64,
) -> bool {
    let mut flags = 0;
    let mut details = Vec::new();
    if source.seq != expected_seq {
        flags |= flag::SEQ;
        varint(&mut details, zigzag(source.seq.wrapping_sub(expected_seq)));
    }
    match source.step {
        None if step.is_some() => flags |= flag::NO_STEP,
        Some(own) if source.step != step => {
            flags |= flag::STEP;
            varint(&mut details, zigzag(own));
        }
        _ => {}
    }
    if let Some(millionths) = source.step_frac {
        flags |= flag::FRAC;
        varint(&mut details, millionths as u32 as u64);
    }
    match source.time_ns {
        None if time_ns.is_some() => flags |= flag::NO_TIME,
        Some(own) if source.time_ns != time_ns => {
            flags |= flag::TIME;
            let shown = time_ns.unwrap_or(0);
            varint(&mut details, zigzag(own.wrapping_sub(shown)));
        }
        _ => {}
    }
    varint(out, source.items as u64);
    varint(out, flags);
    out.extend_from_slice(&details);
    flags == 0
}
