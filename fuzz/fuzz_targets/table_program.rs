//! Makes tables as a program of bytes says.

use std::sync::Arc;

use arrow_array::types::{Float64Type, Int8Type, Int32Type};
use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
    ListArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};

/// Points, texts, histograms.
pub const TABLES: usize = 3;

/// Of each table its own, since a tag that two plugins show is renamed.
const KEYS: [[&str; 3]; TABLES] = [["", "loss", "深/ü"], ["text", "a/b", "notes"], ["w", "b", "h"]];
const KINDS: [&str; 5] = ["float64", "float32", "int", "bool", "null"];

pub struct Program<'a>(pub &'a [u8]);

impl Program<'_> {
    pub fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    /// Small ones are more likely.
    fn integer(&mut self) -> i64 {
        let width = [0, 1, 1, 2, 4, 8, 8, 1][usize::from(self.byte() % 8)];
        let mut bytes = [0; 8];
        bytes[8 - width..].fill_with(|| self.byte());
        i64::from_le_bytes(bytes).checked_shr(64 - 8 * width as u32).unwrap_or(0)
    }

    fn double(&mut self) -> f64 {
        match self.byte() % 4 {
            0 => self.integer() as f64,
            1 => f64::from(f32::from_bits(self.integer() as u32)),
            2 => f64::from_bits(self.integer() as u64),
            _ => [f64::NAN, -0.0, f64::INFINITY, 0.1][usize::from(self.byte() % 4)],
        }
    }

    fn maybe<T>(&mut self, some: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.byte() % 4 != 0).then(|| some(self))
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 8] = ["", "{", "\"", "深", "\\", "a b", "null", "\u{0}\n"];
        let length = self.byte() % 4;
        (0..length).map(|_| PIECES[usize::from(self.byte() % 8)]).collect()
    }

    fn list(&mut self) -> Vec<f64> {
        let length = self.byte() % 5;
        (0..length).map(|_| self.double()).collect()
    }
}

/// A table of up to 15 rows; neighbours share an address now and then.
pub fn table(program: &mut Program<'_>, number: usize) -> RecordBatch {
    let rows = usize::from(program.byte() % 16);
    let mut columns = addresses(program, number, rows);
    columns.extend(match number {
        0 => points(program, rows),
        1 => texts(program, rows),
        _ => histograms(program, rows),
    });
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .expect("columns of one length")
}

type Column = (&'static str, ArrayRef);

fn addresses(program: &mut Program<'_>, number: usize, rows: usize) -> Vec<Column> {
    let mut keys = Vec::new();
    let mut rows_at = Vec::new();
    let mut at = (0, None, None, None);
    for _ in 0..rows {
        keys.push(i32::from(program.byte() % 3));
        if program.byte() % 4 != 0 {
            let seq = match program.byte() % 4 {
                0 => program.integer(),
                _ => i64::wrapping_add(at.0, 1),
            };
            let ns = program.maybe(Program::integer);
            let frac = (program.byte() % 8 == 0).then(|| program.integer() as i32);
            at = (seq, program.maybe(Program::integer), frac, ns);
        }
        rows_at.push(at);
    }
    let column = |of: fn(&(i64, Option<i64>, Option<i32>, Option<i64>)) -> Option<i64>| {
        rows_at.iter().map(of).collect::<Vec<_>>()
    };
    let words = Arc::new(StringArray::from(KEYS[number].to_vec()));
    let keys = DictionaryArray::<Int32Type>::new(Int32Array::from(keys), words);
    let time = TimestampMicrosecondArray::from(column(|at| at.3.map(|ns| ns.div_euclid(1000))));
    let rest = rows_at.iter().map(|at| at.3.map(|ns| ns.rem_euclid(1000) as i16));
    vec![
        ("key", Arc::new(keys)),
        ("step", Arc::new(Int64Array::from(column(|at| at.1)))),
        ("step_frac", Arc::new(rows_at.iter().map(|at| at.2).collect::<Int32Array>())),
        ("time", Arc::new(time.with_timezone("UTC"))),
        ("time_ns", Arc::new(rest.collect::<Int16Array>())),
        ("seq", Arc::new(Int64Array::from(column(|at| Some(at.0))))),
    ]
}

fn points(program: &mut Program<'_>, rows: usize) -> Vec<Column> {
    let (mut values, mut exact, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rows {
        let kind = program.byte() % 5;
        let (value, integer) = match KINDS[usize::from(kind)] {
            "int" => {
                let integer = program.integer();
                let nearest = integer as f64;
                (Some(nearest), (nearest as i128 != i128::from(integer)).then_some(integer))
            }
            "bool" => (Some(f64::from(program.byte() % 2)), None),
            "null" => (None, None),
            _ => (Some(program.double()), None),
        };
        values.push(value);
        exact.push(integer);
        kinds.push(kind as i8);
    }
    vec![
        ("value", Arc::new(Float64Array::from(values))),
        ("value_i64", Arc::new(Int64Array::from(exact))),
        ("kind", words(kinds, &KINDS)),
    ]
}

fn texts(program: &mut Program<'_>, rows: usize) -> Vec<Column> {
    let (mut texts, mut forms) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        let text = program.maybe(Program::text);
        // what is null has no form but that of a text
        forms.push(if text.is_some() { (program.byte() % 2) as i8 } else { 0 });
        texts.push(text);
    }
    vec![
        ("text", Arc::new(StringArray::from(texts))),
        ("form", words(forms, &["text", "json"])),
    ]
}

fn histograms(program: &mut Program<'_>, rows: usize) -> Vec<Column> {
    let (mut lists, mut kinds, mut extras) = ([Vec::new(), Vec::new()], Vec::new(), Vec::new());
    for _ in 0..rows {
        let (edges, counts) = (program.maybe(Program::list), program.maybe(Program::list));
        extras.push(match program.byte() % 4 {
            0 => None,
            1 => Some(program.text()),
            // as a `HistogramProto` has it
            _ => Some(statistics(program, edges.as_deref().unwrap_or(&[]))),
        });
        lists[0].push(edges);
        lists[1].push(counts);
        kinds.push((program.byte() % 2) as i8);
    }
    let [edges, counts] = lists.map(|lists| {
        let lists = lists.into_iter().map(|list| list.map(|list| list.into_iter().map(Some)));
        ListArray::from_iter_primitive::<Float64Type, _, _>(lists)
    });
    vec![
        ("edges", Arc::new(edges)),
        ("counts", Arc::new(counts)),
        ("counts_kind", words(kinds, &["int", "float64"])),
        ("extra", Arc::new(StringArray::from(extras))),
    ]
}

fn statistics(program: &mut Program<'_>, edges: &[f64]) -> String {
    let least = edges.first().copied().filter(|least| least.is_finite()).unwrap_or(0.0);
    let [num, sum, squares] = [(); 3].map(|()| program.byte());
    format!(
        r#"{{"min":{least:?},"max":{sum}.0,"num":{num}.0,"sum":{sum}.0,"sum_squares":{squares}.0}}"#
    )
}

fn words(places: Vec<i8>, words: &[&str]) -> ArrayRef {
    let words = Arc::new(StringArray::from(words.to_vec()));
    Arc::new(DictionaryArray::<Int8Type>::new(Int8Array::from(places), words))
}
