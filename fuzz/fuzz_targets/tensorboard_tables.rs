//! Any tables written as events and read back: the same rows, to the last bit, and no damage.
//!
//! The tables are as `runferry.tables` has them: an integer's double is the nearest one, and so on.
#![no_main]

mod table_program;

use std::collections::HashMap;
use std::io::Cursor;

use _native::tensorboard::Scanner;
use _native::tensorboard::encoder::{EventEncoder, HistogramRows, PointRows, TextRows};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int8Type, Int32Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use libfuzzer_sys::fuzz_target;
use table_program::{TABLES, Program, table};

/// Bytes that may wait: few, so that a table is written in several turns.
const ENOUGH: usize = 200;

fuzz_target!(|input: &[u8]| {
    let mut program = Program(input);
    let mode = program.byte();
    let mut encoder = EventEncoder::new(HashMap::new(), mode & 1 == 1);
    let mut file = Vec::new();
    encoder.event(b"\x1a\x0dbrain.Event:2");
    let mut written: [Vec<String>; TABLES] = Default::default();
    for _ in 0..4 {
        let number = usize::from(program.byte()) % TABLES;
        let batch = table(&mut program, number);
        put(&mut encoder, number, &batch, &mut file);
        written[number].extend(shown(&batch, |row| key(&batch, row)));
    }
    file.append(&mut encoder.out);
    let rows = if mode & 2 == 2 { 3 } else { usize::MAX };
    assert_eq!(read(file, rows), written);
});

fn put(encoder: &mut EventEncoder, number: usize, batch: &RecordBatch, file: &mut Vec<u8>) {
    let (mut points, mut texts, mut histograms);
    let mut some: Box<dyn FnMut(&mut EventEncoder) -> bool> = match number {
        0 => {
            points = PointRows::new(batch).expect("a table of points");
            Box::new(|encoder| encoder.points(&mut points, ENOUGH).expect("times are sane"))
        }
        1 => {
            texts = TextRows::new(batch).expect("a table of texts");
            Box::new(|encoder| encoder.texts(&mut texts, ENOUGH).expect("times are sane"))
        }
        _ => {
            histograms = HistogramRows::new(batch).expect("a table of histograms");
            Box::new(|encoder| encoder.histograms(&mut histograms, ENOUGH).expect("times are sane"))
        }
    };
    while some(encoder) {
        file.append(&mut encoder.out);
    }
}

fn read(file: Vec<u8>, rows: usize) -> [Vec<String>; TABLES] {
    let mut scanner = Scanner::new(Cursor::new(file), 0, 0, rows, &[]).expect("an event file");
    let (mut found, mut tags): ([Vec<String>; TABLES], Vec<String>) = Default::default();
    while let Some(batch) = scanner.next_batch().expect("memory can be read") {
        assert_eq!(batch.damage, []);
        let names = batch.series.iter().map(|name| String::from_utf8(name.tag.clone()));
        tags.extend(names.map(|tag| tag.expect("keys are text")));
        let tables = [&batch.points, &batch.texts, &batch.histograms];
        for (number, columns) in tables.into_iter().enumerate() {
            let Some(columns) = columns else { continue };
            let series = columns["series"].as_primitive::<Int32Type>();
            let tag = |row: usize| tags[series.value(row) as usize].clone();
            found[number].extend(shown(columns, tag));
        }
    }
    found
}

fn key(batch: &RecordBatch, row: usize) -> String {
    let keys = batch["key"].as_dictionary::<Int32Type>();
    keys.values().as_string::<i32>().value(keys.keys().value(row) as usize).to_owned()
}

/// Each row in words: its tag, then all columns by name, floats by their bits.
fn shown(batch: &RecordBatch, tag: impl Fn(usize) -> String) -> Vec<String> {
    let schema = batch.schema();
    let mut names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    names.retain(|name| !["key", "series"].contains(name));
    names.sort_unstable();
    let row = |row: usize| {
        let cells = names.iter().map(|name| format!("{name}={}", cell(&batch[name], row)));
        format!("{:?} {}", tag(row), cells.collect::<Vec<_>>().join(" "))
    };
    (0..batch.num_rows()).map(row).collect()
}

fn cell(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return "null".to_owned();
    }
    if let Some(doubles) = column.as_primitive_opt::<Float64Type>() {
        return format!("{:x}", doubles.value(row).to_bits());
    }
    if let Some(words) = column.as_dictionary_opt::<Int8Type>() {
        return words.values().as_string::<i32>().value(words.keys().value(row) as usize).to_owned();
    }
    if let Some(lists) = column.as_list_opt::<i32>() {
        let list = lists.value(row);
        let doubles = list.as_primitive::<Float64Type>().values().iter();
        return format!("{:x?}", doubles.map(|value| value.to_bits()).collect::<Vec<_>>());
    }
    format!("{:?}", column.slice(row, 1))
}
