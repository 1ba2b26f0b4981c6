//! Owns the builders of columns that formats share: rows go in, Arrow record batches come out.

use arrow_array::{ArrayRef, Float64Array, Int8Array, Int32Array, Int64Array, RecordBatch};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer};
use arrow_schema::{ArrowError, Field};

mod parts;

use parts::Times;
pub use parts::{Addresses, At, Texts, batch, column, required, validity, words};

/// What the source had, before it became a float64; the order is that of `KINDS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum Kind {
    Float64 = 0,
    Float32 = 1,
    Int = 2,
    Bool = 3,
    Null = 4,
}

/// The words for kinds, as the archive has them.
pub const KINDS: [&str; 5] = ["float64", "float32", "int", "bool", "null"];

/// Scalars: one row a value. Rows are pushed first and get their address when the row is known.
#[derive(Default)]
pub struct Points {
    series: Vec<i32>,
    value: Vec<f64>,
    kind: Vec<i8>,
    nulls: Vec<usize>,
    inexact: Vec<(usize, i64)>,
    at: Addresses,
}

impl Points {
    /// With room for so many rows: growing copies what is there, again and again.
    pub fn with_capacity(rows: usize) -> Self {
        let mut at = Addresses::default();
        at.reserve(rows);
        Self {
            series: Vec::with_capacity(rows),
            value: Vec::with_capacity(rows),
            kind: Vec::with_capacity(rows),
            at,
            ..Self::default()
        }
    }

    /// The same for steps that may have fractions.
    pub fn with_fractions(rows: usize) -> Self {
        let mut points = Self::with_capacity(rows);
        let mut at = Addresses::with_fractions();
        at.reserve(rows);
        points.at = at;
        points
    }

    pub fn rows(&self) -> usize {
        self.value.len()
    }

    #[inline]
    pub fn push_float(&mut self, series: i32, value: f64) {
        self.push(series, value, Kind::Float64);
    }

    /// The float64 nearest to it, and the integer itself where that is another number.
    #[inline]
    pub fn push_int(&mut self, series: i32, value: i64) {
        let nearest = value as f64;
        if nearest as i128 != i128::from(value) {
            self.inexact.push((self.rows(), value));
        }
        self.push(series, nearest, Kind::Int);
    }

    #[inline]
    pub fn push_float32(&mut self, series: i32, value: f32) {
        self.push(series, f64::from(value), Kind::Float32);
    }

    /// What a source calls a float of 32 bits, although they cannot hold it.
    pub fn push_wide_float32(&mut self, series: i32, value: f64) {
        self.push(series, value, Kind::Float32);
    }

    /// What a source calls an integer, although 64 bits cannot hold it.
    pub fn push_wide_int(&mut self, series: i32, value: f64) {
        self.push(series, value, Kind::Int);
    }

    pub fn push_bool(&mut self, series: i32, value: bool) {
        self.push(series, f64::from(u8::from(value)), Kind::Bool);
    }

    pub fn push_null(&mut self, series: i32) {
        self.nulls.push(self.rows());
        self.push(series, 0.0, Kind::Null);
    }

    #[inline]
    fn push(&mut self, series: i32, value: f64, kind: Kind) {
        self.series.push(series);
        self.value.push(value);
        self.kind.push(kind as i8);
    }

    /// Takes back the rows that have no address yet.
    pub fn roll_back(&mut self) {
        let rows = self.at.seq.len();
        self.series.truncate(rows);
        self.value.truncate(rows);
        self.kind.truncate(rows);
        self.nulls
            .truncate(self.nulls.partition_point(|row| *row < rows));
        self.inexact
            .truncate(self.inexact.partition_point(|(row, _)| *row < rows));
    }

    /// Whether every row has its address.
    pub fn is_settled(&self) -> bool {
        self.rows() == self.at.seq.len()
    }

    /// Gives the rows pushed since the last call their address.
    #[inline]
    pub fn settle(&mut self, at: &At) {
        self.at.extend(at, self.value.len() - self.at.seq.len());
    }

    /// Columns series, step, time, time_ns, seq, value, value_i64, kind.
    pub fn finish(self) -> Result<RecordBatch, ArrowError> {
        let rows = self.rows();
        let nulls = validity(rows, self.nulls.iter().map(|row| (*row, 1)));
        let mut columns = vec![required("series", Int32Array::from(self.series))];
        columns.extend(self.at.finish());
        columns.push(column("value", Float64Array::new(self.value.into(), nulls)));
        columns.push(exact_integers(rows, &self.inexact));
        columns.push(words("kind", self.kind, &KINDS)?);
        batch(columns)
    }
}

/// The column `value_i64`, null but for the rows given.
fn exact_integers(rows: usize, inexact: &[(usize, i64)]) -> (Field, ArrayRef) {
    if inexact.is_empty() {
        return column("value_i64", Int64Array::new_null(rows));
    }
    let mut values = vec![0; rows];
    let mut bits = BooleanBufferBuilder::new(rows);
    bits.append_n(rows, false);
    for (row, value) in inexact {
        values[*row] = *value;
        bits.set_bit(*row, true);
    }
    let nulls = NullBuffer::new(bits.finish());
    column("value_i64", Int64Array::new(values.into(), Some(nulls)))
}

/// Values that are no scalar, as JSON text.
#[derive(Default)]
pub struct Values {
    series: Vec<i32>,
    json: Texts,
    /// What the source row says that it is; 0 where it says nothing.
    code: Vec<i8>,
    at: Addresses,
}

impl Values {
    pub fn rows(&self) -> usize {
        self.series.len()
    }

    pub fn text_bytes(&self) -> usize {
        self.json.bytes.len()
    }

    pub fn push(&mut self, series: i32, json: &str) {
        self.push_coded(series, json, 0);
    }

    pub fn push_coded(&mut self, series: i32, json: &str, code: i8) {
        self.series.push(series);
        self.json.push(json);
        self.code.push(code);
    }

    /// Takes back the rows that have no address yet.
    pub fn roll_back(&mut self) {
        let rows = self.at.seq.len();
        self.series.truncate(rows);
        self.json.truncate(rows);
        self.code.truncate(rows);
    }

    /// Whether every row has its address.
    pub fn is_settled(&self) -> bool {
        self.rows() == self.at.seq.len()
    }

    /// Gives the rows pushed since the last call their address.
    #[inline]
    pub fn settle(&mut self, at: &At) {
        let rows = self.series.len() - self.at.seq.len();
        if rows > 0 {
            self.at.extend(at, rows);
        }
    }

    /// Columns series, step, time, time_ns, seq, json; code too where a source row says it.
    pub fn finish(self) -> Result<RecordBatch, ArrowError> {
        let mut columns = vec![required("series", Int32Array::from(self.series))];
        columns.extend(self.at.finish());
        columns.push(required("json", self.json.finish()?));
        if self.code.iter().any(|code| *code != 0) {
            columns.push(required("code", Int8Array::from(self.code)));
        }
        batch(columns)
    }
}

/// What the run printed.
#[derive(Default)]
pub struct Console {
    time: Times,
    stream: Vec<i8>,
    line: Texts,
    seq: Vec<i64>,
}

impl Console {
    pub fn rows(&self) -> usize {
        self.seq.len()
    }

    pub fn text_bytes(&self) -> usize {
        self.line.bytes.len()
    }

    pub fn push(&mut self, time: Option<i64>, is_stdout: bool, line: &str, seq: i64) {
        self.time.extend(time, 1);
        self.stream.push(i8::from(!is_stdout));
        self.line.push(line);
        self.seq.push(seq);
    }

    /// Columns time, time_ns, stream, line, seq.
    pub fn finish(self) -> Result<RecordBatch, ArrowError> {
        let mut columns = Vec::from(self.time.finish());
        columns.push(words("stream", self.stream, &["stdout", "stderr"])?);
        columns.push(required("line", self.line.finish()?));
        columns.push(required("seq", Int64Array::from(self.seq)));
        batch(columns)
    }
}
/// A table in slices of at most `rows` rows.
pub fn slices(table: Option<RecordBatch>, rows: usize) -> impl Iterator<Item = RecordBatch> {
    table.into_iter().flat_map(move |table| {
        let starts = (0..table.num_rows()).step_by(rows);
        let slices: Vec<_> = starts
            .map(|start| table.slice(start, rows.min(table.num_rows() - start)))
            .collect();
        slices
    })
}
