//! Owns what tables have in common: addresses, texts, words, and how columns become a batch.

use std::sync::Arc;

use arrow_array::types::Int8Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Int8Array, Int16Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, Field, Schema};

/// The address that the values of one source row share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct At {
    pub step: Option<i64>,
    /// Millionths above the step.
    pub step_frac: Option<i32>,
    /// Nanoseconds since the epoch.
    pub time: Option<i64>,
    pub seq: i64,
}

/// A column of integers that is null in places.
#[derive(Default)]
pub struct Nullable {
    values: Vec<i64>,
    /// Rows that are null, as ascending ranges of (first row, rows).
    nulls: Vec<(usize, usize)>,
}

impl Nullable {
    #[inline]
    pub fn extend(&mut self, value: Option<i64>, rows: usize) {
        if value.is_none() {
            self.nulls.push((self.values.len(), rows));
        }
        self.values
            .resize(self.values.len() + rows, value.unwrap_or(0));
    }

    pub fn finish(self) -> (Vec<i64>, Option<NullBuffer>) {
        let validity = validity(self.values.len(), self.nulls.iter().copied());
        (self.values, validity)
    }
}

/// None where nothing is null.
pub fn validity(rows: usize, nulls: impl Iterator<Item = (usize, usize)>) -> Option<NullBuffer> {
    let mut nulls = nulls.peekable();
    nulls.peek()?;
    let mut bits = BooleanBufferBuilder::new(rows);
    for (start, length) in nulls {
        bits.append_n(start - bits.len(), true);
        bits.append_n(length, false);
    }
    bits.append_n(rows - bits.len(), true);
    Some(NullBuffer::new(bits.finish()))
}

/// Columns `step`, `time`, `time_ns` and `seq`; `step_frac` too where steps may have fractions, or do.
#[derive(Default)]
pub struct Addresses {
    step: Nullable,
    may_have_fractions: bool,
    /// Ascending: (first row, rows, millionths).
    fractions: Vec<(usize, usize, i32)>,
    time: Times,
    pub seq: Vec<i64>,
}

impl Addresses {
    pub fn with_fractions() -> Self {
        Self {
            may_have_fractions: true,
            ..Self::default()
        }
    }

    #[inline]
    pub fn extend(&mut self, at: &At, rows: usize) {
        if let Some(millionths) = at.step_frac {
            self.may_have_fractions = true;
            self.fractions.push((self.seq.len(), rows, millionths));
        }
        self.step.extend(at.step, rows);
        self.time.extend(at.time, rows);
        self.seq.resize(self.seq.len() + rows, at.seq);
    }

    pub fn reserve(&mut self, rows: usize) {
        self.step.values.reserve(rows);
        self.time.reserve(rows);
        self.seq.reserve(rows);
    }

    pub fn finish(self) -> Vec<(Field, ArrayRef)> {
        let rows = self.seq.len();
        let (step, no_step) = self.step.finish();
        let mut columns = vec![column("step", Int64Array::new(step.into(), no_step))];
        if self.may_have_fractions {
            columns.push(column("step_frac", fractions(rows, &self.fractions)));
        }
        columns.extend(self.time.finish());
        columns.push(required("seq", Int64Array::from(self.seq)));
        columns
    }
}

fn fractions(rows: usize, given: &[(usize, usize, i32)]) -> Int32Array {
    if given.is_empty() {
        return Int32Array::new_null(rows);
    }
    let mut values = vec![0; rows];
    let mut bits = BooleanBufferBuilder::new(rows);
    for (start, length, millionths) in given {
        values[*start..start + length].fill(*millionths);
        bits.append_n(start - bits.len(), false);
        bits.append_n(*length, true);
    }
    bits.append_n(rows - bits.len(), false);
    Int32Array::new(values.into(), Some(NullBuffer::new(bits.finish())))
}

/// Times as the columns `time` (µs, UTC) and `time_ns` (0–999 below that).
#[derive(Default)]
pub struct Times {
    whole: Nullable,
    rest: Vec<i16>,
}

impl Times {
    /// Divides once for all rows that share the time, in nanoseconds.
    #[inline]
    pub fn extend(&mut self, time: Option<i64>, rows: usize) {
        self.whole.extend(time.map(|ns| ns.div_euclid(1000)), rows);
        let rest = time.map_or(0, |ns| ns.rem_euclid(1000) as i16);
        self.rest.resize(self.rest.len() + rows, rest);
    }

    pub fn reserve(&mut self, rows: usize) {
        self.whole.values.reserve(rows);
        self.rest.reserve(rows);
    }

    pub fn finish(self) -> [(Field, ArrayRef); 2] {
        let (whole, nulls) = self.whole.finish();
        let whole = TimestampMicrosecondArray::new(whole.into(), nulls.clone());
        [
            column("time", whole.with_timezone("UTC")),
            column("time_ns", Int16Array::new(self.rest.into(), nulls)),
        ]
    }
}

pub fn column(name: &str, array: impl arrow_array::Array + 'static) -> (Field, ArrayRef) {
    (
        Field::new(name, array.data_type().clone(), true),
        Arc::new(array),
    )
}

pub fn required(name: &str, array: impl arrow_array::Array + 'static) -> (Field, ArrayRef) {
    (
        Field::new(name, array.data_type().clone(), false),
        Arc::new(array),
    )
}

pub fn words(name: &str, keys: Vec<i8>, words: &[&str]) -> Result<(Field, ArrayRef), ArrowError> {
    let words = Arc::new(StringArray::from(words.to_vec()));
    let array = DictionaryArray::<Int8Type>::try_new(Int8Array::from(keys), words)?;
    Ok(required(name, array))
}

pub fn batch(columns: Vec<(Field, ArrayRef)>) -> Result<RecordBatch, ArrowError> {
    let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

/// Texts end to end, with where each ends.
#[derive(Default)]
pub struct Texts {
    pub bytes: String,
    /// Of each text; offsets are 32 bits wide, and `finish` fails where that is not enough.
    ends: Vec<i32>,
    is_too_long: bool,
}

impl Texts {
    pub fn push(&mut self, text: &str) {
        self.bytes.push_str(text);
        let end = i32::try_from(self.bytes.len());
        let end = end.unwrap_or(i32::MAX);
        self.is_too_long |= end == i32::MAX;
        self.ends.push(end);
    }

    pub fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        let end = self.ends.last().copied().unwrap_or(0);
        self.is_too_long = end == i32::MAX;
        if !self.is_too_long {
            self.bytes.truncate(end as usize);
        }
    }

    pub fn finish(self) -> Result<StringArray, ArrowError> {
        self.finish_with(None)
    }

    /// The same with nulls in places, where empty texts were pushed.
    pub fn finish_with(self, nulls: Option<NullBuffer>) -> Result<StringArray, ArrowError> {
        if self.is_too_long {
            return Err(ArrowError::OffsetOverflowError(self.bytes.len()));
        }
        let offsets: Vec<i32> = std::iter::once(0).chain(self.ends).collect();
        let offsets = OffsetBuffer::new(offsets.into());
        StringArray::try_new(offsets, self.bytes.into_bytes().into(), nulls)
    }
}
