//! Owns reading field 1517.

use super::{CODES, Code, DOUBLES, SHOWN, SOURCES, Source, TAG, TEXTS, flag};
use crate::protobuf::{Fields, Malformed, Wire, varint, zigzag};

/// What the field says, checked against the items of its row.
pub struct OwnRow<'a> {
    pub sources: Vec<Source>,
    pub shown: usize,
    codes: &'a [u8],
    doubles: &'a [u8],
    texts: Vec<&'a [u8]>,
    next_text: usize,
}

impl<'a> OwnRow<'a> {
    /// Whether a message of ours begins here.
    pub fn is_in(message: &[u8]) -> bool {
        message.starts_with(&TAG)
    }

    /// `items` are all items of the row, shown ones too; step and time are the row's.
    pub fn of(
        content: &'a [u8],
        items: usize,
        step: Option<i64>,
        time_ns: Option<i64>,
    ) -> Result<Self, Malformed> {
        let mut row = Self {
            sources: Vec::new(),
            shown: 0,
            codes: b"",
            doubles: b"",
            texts: Vec::new(),
            next_text: 0,
        };
        let mut sources = None;
        for field in Fields::new(content) {
            match field? {
                (SHOWN, Wire::Varint(shown)) => row.shown = shown.try_into().or(Err(Malformed))?,
                (SOURCES, Wire::Bytes(content)) => sources = Some(content),
                (CODES, Wire::Bytes(codes)) => row.codes = codes,
                (DOUBLES, Wire::Bytes(doubles)) => row.doubles = doubles,
                (TEXTS, Wire::Bytes(text)) => row.texts.push(text),
                _ => return Err(Malformed),
            }
        }
        let values = items.checked_sub(row.shown).ok_or(Malformed)?;
        row.sources = match sources {
            Some(content) => sources_of(content, step, time_ns)?,
            None => vec![Source {
                seq: 0,
                step,
                step_frac: None,
                time_ns,
                items: values,
            }],
        };
        row.check(values)?;
        Ok(row)
    }

    fn check(&self, values: usize) -> Result<(), Malformed> {
        let mut stated = 0usize;
        for source in &self.sources {
            stated = stated.checked_add(source.items).ok_or(Malformed)?;
        }
        let codes = self.codes.iter().map(|code| code_of(*code));
        let codes = codes.collect::<Option<Vec<_>>>().ok_or(Malformed)?;
        let doubles = codes.iter().filter(|code| code.has_double()).count();
        let texts = codes.iter().filter(|code| **code == Code::ExactHistogram);
        let fits = stated == values
            && (codes.is_empty() || codes.len() == values)
            && self.doubles.len() == doubles * 8
            && self.texts.len() == texts.count();
        if fits { Ok(()) } else { Err(Malformed) }
    }

    pub fn code(&self, item: usize) -> Code {
        let code = self.codes.get(item).and_then(|code| code_of(*code));
        code.unwrap_or(Code::AsSpelled)
    }

    /// The next double of field 4, asked for in the order of the items.
    pub fn next_double(&mut self) -> f64 {
        let (double, rest) = self.doubles.split_first_chunk().unwrap_or((&[0; 8], b""));
        self.doubles = rest;
        f64::from_le_bytes(*double)
    }

    /// The next text of field 5, likewise.
    pub fn next_text(&mut self) -> &'a [u8] {
        self.next_text += 1;
        self.texts.get(self.next_text - 1).copied().unwrap_or(b"")
    }
}

fn code_of(code: u8) -> Option<Code> {
    Code::ALL.get(usize::from(code)).copied()
}

fn sources_of(
    mut content: &[u8],
    step: Option<i64>,
    time_ns: Option<i64>,
) -> Result<Vec<Source>, Malformed> {
    let mut expected_seq = 0i64;
    let mut sources = Vec::new();
    while !content.is_empty() {
        let items = varint(&mut content)?;
        let flags = varint(&mut content)?;
        let mut source = Source {
            seq: expected_seq,
            step,
            step_frac: None,
            time_ns,
            items: items.try_into().or(Err(Malformed))?,
        };
        if flags & flag::SEQ != 0 {
            source.seq = expected_seq.wrapping_add(zigzag(varint(&mut content)?));
        }
        if flags & flag::NO_STEP != 0 {
            source.step = None;
        }
        if flags & flag::STEP != 0 {
            source.step = Some(zigzag(varint(&mut content)?));
        }
        if flags & flag::FRAC != 0 {
            source.step_frac = Some(varint(&mut content)? as u32 as i32);
        }
        if flags & flag::NO_TIME != 0 {
            source.time_ns = None;
        }
        if flags & flag::TIME != 0 {
            let less = zigzag(varint(&mut content)?);
            source.time_ns = Some(time_ns.unwrap_or(0).wrapping_add(less));
        }
        expected_seq = source.seq.wrapping_add(1);
        sources.push(source);
    }
    Ok(sources)
}
