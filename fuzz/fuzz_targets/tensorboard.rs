//! Any bytes as an event file: no panic, no record that was not there, nothing lost unsaid.
//!
//! Run for half a minute, with the toolchain at hand: FUZZ_SECONDS=30 and the step `fuzz` of .ci/run.
#![no_main]

mod event_writer;

use std::io::Cursor;

use _native::damage::Damage;
use _native::tensorboard::{Batch, Scanner};
use _native::tfrecord::RecordReader;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use event_writer::{SCALAR_TAG, Written, frame, stretched, write};
use libfuzzer_sys::fuzz_target;

const ROWS: usize = 5;

fuzz_target!(|input: &[u8]| {
    let Some((mode, bytes)) = input.split_first() else { return };
    let file = match mode % 4 {
        0 => bytes.to_vec(),
        1 => [frame(event_writer::HEADER), frame(bytes)].concat(),
        program => {
            let written = if program == 2 { write(bytes) } else { write(&stretched(bytes)) };
            nothing_is_invented(&written);
            written.file
        }
    };
    everything_is_accounted_for(&file);
    let whole = scan(&file, 0, 0, usize::MAX, &[]);
    assert_eq!(whole, scan(&file, 0, 0, ROWS, &[]), "batches of another size");
    a_split_scan_finds_the_same(&file, usize::from(mode / 4));
});

/// A record: where it begins and ends, and its payload.
type Record = (u64, u64, Vec<u8>);

fn read(file: &[u8], offset: u64) -> (Vec<Record>, Vec<Damage>) {
    let mut reader = RecordReader::new(Cursor::new(file), offset, file.len() as u64);
    let mut records = Vec::new();
    while let Some(record) = reader.next_record().expect("memory can be read") {
        let (offset, end, payload) = (record.offset, record.end, record.payload.to_vec());
        assert_eq!(reader.committed(), end);
        records.push((offset, end, payload));
    }
    (records, reader.take_damage())
}

/// Each record is one that was written, if no bytes look like one by chance; its scalar is what was
/// written, behind damage too; without faults all are there.
fn nothing_is_invented(written: &Written) {
    let (records, damage) = read(&written.file, 0);
    if written.is_intact {
        assert_eq!(damage, []);
        assert_eq!(records.len(), written.records.len());
    }
    if written.is_ambiguous {
        return;
    }
    let mut expected = Vec::new();
    for (_, _, payload) in &records {
        let place = written.records.iter().position(|record| record == payload);
        let scalar = &written.scalars[place.expect("invented")];
        expected.extend(scalar.as_ref().map(|(tag, step, bits)| {
            let value = f64::from(f32::from_bits(*bits));
            (tag.as_str(), format!("{step:?} {:?}", value.to_bits()))
        }));
    }
    let found = scan(&written.file, 0, 0, ROWS, &[]);
    let rows = found.rows.iter().filter(|row| row.table == 0);
    let rows = rows.map(|row| (row.tag.as_str(), row.shown.clone()));
    let scalars = rows.filter(|(tag, _)| tag.starts_with(SCALAR_TAG));
    if found.is_readable {
        assert_eq!(scalars.collect::<Vec<_>>(), expected);
    }
}

/// Each byte is in a record or told as lost, and none in both.
fn everything_is_accounted_for(file: &[u8]) {
    let (records, damage) = read(file, 0);
    let spans = records.iter().map(|(start, end, _)| (*start, *end));
    let lost = damage.iter().map(|damage| (damage.offset, damage.offset + damage.length));
    let mut spans: Vec<_> = spans.chain(lost).collect();
    spans.sort_unstable();
    let mut told = 0;
    for (start, end) in spans {
        assert!(start == told && start < end);
        told = end;
    }
    assert_eq!(told, file.len() as u64);
}

/// Reading goes on behind any record; and a scan of a file that has grown, where the one before says.
fn a_split_scan_finds_the_same(file: &[u8], place: usize) {
    let (records, damage) = read(file, 0);
    let Some(number) = place.checked_rem(records.len()) else { return };
    let end = records[number].1;
    let (rest, more) = read(file, end);
    assert_eq!(rest, records[number + 1..]);
    assert!(more.iter().eq(damage.iter().filter(|damage| damage.offset >= end)));
    let head = &file[..end as usize];
    let first = scan(head, 0, 0, usize::MAX, &[]);
    if first.is_readable {
        let second = scan(file, first.offset, first.seq, usize::MAX, &first.plugins);
        let whole = scan(file, 0, 0, usize::MAX, &[]);
        let mut rows = [first.rows, second.rows].concat();
        rows.sort_unstable();
        let mut expected = whole.rows;
        expected.sort_unstable();
        assert_eq!(rows, expected);
        assert_eq!(second.seq, whole.seq);
    }
}

#[derive(Clone, Debug, PartialEq, PartialOrd, Eq, Ord)]
struct Row {
    table: usize,
    seq: i64,
    tag: String,
    shown: String,
}

#[derive(Debug, Default, PartialEq)]
struct Scanned {
    is_readable: bool,
    rows: Vec<Row>,
    offset: u64,
    seq: i64,
    plugins: Vec<(String, String)>,
}

fn scan(file: &[u8], offset: u64, seq: i64, rows: usize, plugins: &[(String, String)]) -> Scanned {
    let Ok(mut scanner) = Scanner::new(Cursor::new(file), offset, seq, rows, plugins) else {
        return Scanned::default();
    };
    let (mut found, mut tags, mut end) = (Vec::new(), Vec::new(), offset);
    while let Some(batch) = scanner.next_batch().expect("memory can be read") {
        let names = batch.series.iter().map(|name| String::from_utf8_lossy(&name.tag).into_owned());
        tags.extend(names);
        for damage in &batch.damage {
            assert!(damage.length > 0 && damage.offset + damage.length <= file.len() as u64);
        }
        for (table, columns) in tables(&batch).into_iter().enumerate() {
            let Some(columns) = columns else { continue };
            assert!((1..=rows).contains(&columns.num_rows()));
            found.extend(rows_of(table, columns, &tags));
        }
        for record in &batch.records {
            let shown = format!("{:?}", record.message);
            found.push(Row { table: 9, seq: record.seq, tag: record.name.to_owned(), shown });
        }
        assert!(end <= scanner.offset());
        end = scanner.offset();
    }
    // Events that bring nothing make no batch, and are read none the less.
    assert!(end <= scanner.offset());
    end = scanner.offset();
    assert!(end <= file.len().max(offset as usize) as u64);
    found.sort_by_key(|row| row.table); // each table in its own order
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let known = scanner.plugins().into_iter();
    let plugins = known.map(|(tag, plugin)| (text(tag), text(plugin))).collect();
    Scanned { is_readable: true, rows: found, offset: end, seq: scanner.seq(), plugins }
}

fn tables(batch: &Batch) -> [Option<&RecordBatch>; 4] {
    [&batch.points, &batch.texts, &batch.histograms, &batch.media].map(Option::as_ref)
}

fn rows_of(table: usize, columns: &RecordBatch, tags: &[String]) -> Vec<Row> {
    let seq = columns["seq"].as_primitive::<Int64Type>();
    let series = columns["series"].as_primitive::<Int32Type>();
    let step = columns["step"].as_primitive::<Int64Type>();
    let row = |row: usize| {
        let shown = match table {
            0 => {
                let value = columns["value"].as_primitive::<Float64Type>();
                let step = step.is_valid(row).then(|| step.value(row)).unwrap_or(-1);
                format!("{step:?} {:?}", value.value(row).to_bits())
            }
            1 => columns["text"].as_string::<i32>().value(row).to_owned(),
            2 => {
                let list = |name: &str| columns[name].as_list::<i32>().value(row);
                format!("{:?} {:?}", list("edges"), list("counts"))
            }
            _ => format!("{:?}", columns["content"].as_binary::<i64>().value(row)),
        };
        Row { table, seq: seq.value(row), tag: tags[series.value(row) as usize].clone(), shown }
    };
    (0..columns.num_rows()).map(row).collect()
}
