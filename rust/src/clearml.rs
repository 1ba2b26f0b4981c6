//! Owns the events of ClearML's offline sessions: arrays of JSON objects, one a line; packed too.

pub mod packing;

use std::collections::HashMap;
use std::ops::Range;

use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, PrimitiveArray, RecordBatch};

use crate::clearml::packing::{LEAST, Packer, WINDOW};
use crate::columns::{KINDS, Kind};
use crate::json::{put_float, put_integer, whole};
use crate::tables::{AddressColumns, Error, Words, primitive};

/// Events in an array, which the importer sends as one request.
const A_LINE: usize = 1_000;
/// Bytes that may wait before somebody takes them.
const ENOUGH: usize = 1 << 20;
const US_A_MS: i64 = 1_000;

/// Rows of `tables.POINTS`, and how far they have been written.
pub struct PointRows {
    at: AddressColumns,
    value: PrimitiveArray<Float64Type>,
    exact: PrimitiveArray<Int64Type>,
    kind: Words,
    /// By the key's place in the batch.
    series: Vec<usize>,
    next: usize,
}

impl PointRows {
    pub fn is_done(&self) -> bool {
        self.next == self.at.rows()
    }

    /// A value that is there: integers without a point, all else with one or an exponent.
    #[inline]
    fn put_value(&self, row: usize, out: &mut Vec<u8>) {
        let value = self.value.value(row);
        if self.kind.at(row) == Kind::Int as u8 {
            let exact = self.exact.is_valid(row).then(|| self.exact.value(row));
            if let Some(integer) = exact.or_else(|| whole(value)) {
                return put_integer(out, integer);
            }
        }
        put_float(out, value);
    }
}

/// The events of a session, as text that somebody takes away when there is enough of it.
pub struct EventLines {
    pub text: Vec<u8>,
    pub packer: Option<Packer>,
    /// Without NaN and infinities.
    is_finite: bool,
    /// Events of the line that is not ended.
    in_line: usize,
    numbers: HashMap<Box<str>, usize>,
    series: Vec<Series>,
    /// Events, and those with an iteration above all before them in their series.
    pub counts: (u64, u64),
}

struct Series {
    /// Its events up to the iteration.
    head: Box<str>,
    highest: Option<i64>,
    /// The event before, if it is still in the text.
    before: Option<Pieces>,
}

/// Where the parts of an event stand in the text; each is likely to begin as that of the one before.
struct Pieces {
    head: usize,
    time: usize,
    value: usize,
    end: usize,
}

impl EventLines {
    pub fn new(is_packed: bool, is_finite: bool) -> Self {
        Self {
            text: Vec::with_capacity(ENOUGH + (ENOUGH >> 2)),
            packer: is_packed.then(Packer::default),
            is_finite,
            in_line: 0,
            numbers: HashMap::new(),
            series: Vec::new(),
            counts: (0, 0),
        }
    }

    /// Rows of points; `heads` is what the events of each key of the batch begin with.
    pub fn rows(&mut self, batch: &RecordBatch, heads: Vec<String>) -> Result<PointRows, Error> {
        let at = AddressColumns::new(batch)?;
        if heads.len() != at.names() {
            return Err(Error::Column("key".to_owned()));
        }
        Ok(PointRows {
            at,
            value: primitive(batch, "value")?,
            exact: primitive(batch, "value_i64")?,
            kind: Words::new(batch, "kind", &KINDS)?,
            series: heads.into_iter().map(|head| self.number(head)).collect(),
            next: 0,
        })
    }

    fn number(&mut self, head: String) -> usize {
        let head = head.into_boxed_str();
        *self.numbers.entry(head).or_insert_with_key(|head| {
            self.series.push(Series {
                head: head.clone(),
                highest: None,
                before: None,
            });
            self.series.len() - 1
        })
    }

    /// Writes rows until there is enough to take away. A null that was logged is no event.
    pub fn points(&mut self, rows: &mut PointRows) {
        while !rows.is_done() && self.text.len() < ENOUGH {
            let row = rows.next;
            rows.next += 1;
            let is_null = rows.value.is_null(row);
            if !is_null && (!self.is_finite || rows.value.value(row).is_finite()) {
                self.event(rows, row);
            }
        }
    }

    #[inline]
    fn event(&mut self, rows: &PointRows, row: usize) {
        let address = rows.at.at(row);
        let series = rows.series[rows.at.place(row)];
        let step = address.step.unwrap_or(address.seq);
        let head = self.begin(series, step);
        let time = self.text.len();
        if let Some(micros) = address.time_us {
            self.text.extend_from_slice(b",\"timestamp\":");
            put_integer(&mut self.text, micros.div_euclid(US_A_MS));
        }
        let value = self.text.len();
        self.text.extend_from_slice(b",\"value\":");
        rows.put_value(row, &mut self.text);
        let end = self.text.len();
        let now = Pieces {
            head,
            time,
            value,
            end,
        };
        self.pack(series, now);
        self.count(series, step);
    }

    /// Up to the iteration; where the event begins.
    fn begin(&mut self, series: usize, step: i64) -> usize {
        if self.in_line == A_LINE {
            self.end_line();
        }
        let start = self.text.len();
        let between: &[u8] = if self.in_line == 0 { b"[" } else { b"}," };
        self.in_line += 1;
        self.text.extend_from_slice(between);
        self.text
            .extend_from_slice(self.series[series].head.as_bytes());
        put_integer(&mut self.text, step);
        start
    }

    fn pack(&mut self, series: usize, now: Pieces) {
        let Some(packer) = &mut self.packer else {
            return;
        };
        let before = &mut self.series[series].before;
        let of = |pieces: &Pieces| {
            [
                pieces.head..pieces.time,
                pieces.time..pieces.value,
                pieces.value..pieces.end,
            ]
        };
        match before {
            Some(known) => of(known)
                .into_iter()
                .zip(of(&now))
                .for_each(|(old, new)| pack_piece(packer, &self.text, old, new)),
            None => packer.literally(&self.text[now.head..now.end]),
        }
        *before = Some(now);
    }

    fn count(&mut self, series: usize, step: i64) {
        let highest = &mut self.series[series].highest;
        let is_new = highest.is_none_or(|highest| step > highest);
        if is_new {
            *highest = Some(step);
        }
        self.counts.0 += 1;
        self.counts.1 += u64::from(is_new);
    }

    /// Whole lines, and the same as blocks of DEFLATE.
    pub fn lines(&mut self, text: &[u8], packed: &[u8]) {
        self.end_line();
        self.text.extend_from_slice(text);
        if let Some(packer) = &mut self.packer {
            packer.blocks(packed);
        }
    }

    /// Nothing comes after this.
    pub fn finish(&mut self) {
        self.end_line();
        if let Some(packer) = &mut self.packer {
            packer.finish();
        }
    }

    fn end_line(&mut self) {
        if self.in_line > 0 {
            self.in_line = 0;
            self.text.extend_from_slice(b"}]\n");
            if let Some(packer) = &mut self.packer {
                packer.literally(b"}]\n");
            }
        }
    }

    /// Forget the text, which somebody has taken.
    pub fn taken(&mut self) {
        self.text.clear();
        self.series.iter_mut().for_each(|one| one.before = None);
        if let Some(packer) = &mut self.packer {
            packer.out.clear();
        }
    }
}

/// A part of the text, as far as possible by what stands before.
#[inline]
fn pack_piece(packer: &mut Packer, text: &[u8], old: Range<usize>, new: Range<usize>) {
    let distance = (new.start - old.start) as u64;
    let piece = &text[new];
    let same = if distance <= WINDOW {
        common(&text[old], piece)
    } else {
        0
    };
    if same < LEAST {
        return packer.literally(piece);
    }
    packer.repeat(same, distance);
    packer.literally(&piece[same..]);
}

/// How many bytes are the same at the beginning.
#[inline]
fn common(one: &[u8], other: &[u8]) -> usize {
    let (ones, _) = one.as_chunks::<8>();
    let (others, _) = other.as_chunks::<8>();
    for (at, (a, b)) in ones.iter().zip(others).enumerate() {
        let differing = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differing != 0 {
            return 8 * at + differing.trailing_zeros() as usize / 8;
        }
    }
    let whole = 8 * ones.len().min(others.len());
    let rest = one[whole..].iter().zip(&other[whole..]);
    whole + rest.take_while(|(a, b)| a == b).count()
}
