//! Any bytes as a `.wandb` file: no panic, no value that was not there, nothing lost unsaid.
//!
//! Run for half a minute, with the toolchain at hand: FUZZ_SECONDS=30 and the step `fuzz` of .ci/run.
#![no_main]

mod log_writer;

use std::io::Cursor;

use _native::damage::Damage;
use _native::leveldb::LogReader;
use _native::wandb::{Scanner, Start};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::RecordBatch;
use libfuzzer_sys::fuzz_target;
use log_writer::{BLOCK, HEADER, write};

const ROWS: usize = 16;

fuzz_target!(|input: &[u8]| {
    let Some((mode, bytes)) = input.split_first() else { return };
    let file = match mode % 4 {
        0 => bytes.to_vec(),
        1 => [HEADER, bytes].concat(),
        _ => {
            let written = write(bytes);
            let (frames, damage) = read(&written.file, 0, None);
            for frame in &frames {
                let span = frame.offset as usize..frame.end as usize;
                let place = written.records.binary_search_by_key(&span.start, |(s, _)| s.start);
                let record = place.ok().map(|place| &written.records[place]);
                let is_right = record == Some(&(span, frame.payload.clone()));
                assert!(is_right || written.is_ambiguous, "invented");
            }
            if written.is_intact {
                assert_eq!(frames.len(), written.records.len());
                assert_eq!(damage, []);
            }
            written.file
        }
    };
    everything_is_accounted_for(&file);
    a_split_scan_finds_the_same(&file, usize::from(mode / 4));
    assert_eq!(scan(&file, ROWS), scan(&file, usize::MAX));
});

/// A record, and what a scan that goes on behind it starts from.
#[derive(Debug, PartialEq)]
struct Frame {
    offset: u64,
    end: u64,
    payload: Vec<u8>,
    origin: Option<u64>,
}

fn read(file: &[u8], offset: u64, origin: Option<u64>) -> (Vec<Frame>, Vec<Damage>) {
    let mut log = LogReader::new(Cursor::new(file), offset, file.len() as u64, origin);
    let mut frames = Vec::new();
    while let Some(frame) = log.next_record().expect("memory can be read") {
        let (offset, end, payload) = (frame.offset, frame.end, frame.payload.to_vec());
        assert_eq!(log.committed(), end);
        frames.push(Frame { offset, end, payload, origin: log.origin() });
    }
    (frames, log.take_damage())
}

/// Each byte is in a record, told as lost, or padding, and no two of these.
fn everything_is_accounted_for(file: &[u8]) {
    let (frames, damage) = read(file, 0, None);
    let spans = frames.iter().map(|frame| (frame.offset as usize, frame.end as usize));
    let lost = damage.iter().map(|d| (d.offset as usize, (d.offset + d.length) as usize));
    let mut spans: Vec<_> = spans.chain(lost).collect();
    spans.sort_unstable();
    let mut told = HEADER.len();
    for (start, end) in spans {
        assert!(told <= start && start < end && end <= file.len());
        assert!(start - told < 7 && (start == told || [0, 7].contains(&(start % BLOCK))));
        told = end;
    }
    assert!(file.get(told..).unwrap_or(&[]).iter().all(|byte| *byte == 0), "lost unsaid");
    assert!(file.len().saturating_sub(told) < 7);
}

/// A scan that goes on behind a record finds what the whole one found there.
fn a_split_scan_finds_the_same(file: &[u8], place: usize) {
    let (frames, damage) = read(file, 0, None);
    let Some(number) = place.checked_rem(frames.len()) else { return };
    let (end, origin) = (frames[number].end, frames[number].origin);
    let (rest, more) = read(file, end, origin);
    assert_eq!(rest, frames[number + 1..]);
    assert!(more.iter().eq(damage.iter().filter(|damage| damage.offset >= end)));
}

/// Every row: its number, and what stands there.
fn scan(file: &[u8], rows: usize) -> Vec<(i64, String)> {
    let start = Start { offset: 0, origin: None, seq: 0, any_version: true };
    let Ok(mut scanner) = Scanner::new(Cursor::new(file), &start, rows) else { return Vec::new() };
    let (mut end, mut found) = (0, Vec::new());
    while let Some(batch) = scanner.next_batch().expect("memory can be read") {
        for table in [&batch.points, &batch.values, &batch.console].into_iter().flatten() {
            assert!((1..=rows).contains(&table.num_rows()));
            found.extend(rows_of(table));
        }
        for damage in &batch.damage {
            assert!(damage.length > 0 && damage.offset + damage.length <= file.len() as u64);
        }
        assert!(end <= scanner.offset());
        end = scanner.offset();
    }
    assert!(end <= file.len().max(HEADER.len()) as u64);
    let _ = scanner.summary();
    found.sort();
    found
}

fn rows_of(table: &RecordBatch) -> Vec<(i64, String)> {
    let seq = table["seq"].as_primitive::<Int64Type>();
    let shown: Vec<String> = match table.column_by_name("value") {
        Some(column) => {
            let values = column.as_primitive::<Float64Type>();
            (0..values.len()).map(|row| format!("{:?}", values.value(row))).collect()
        }
        None => {
            let column = table.column_by_name("json").unwrap_or_else(|| &table["line"]);
            column.as_string::<i32>().iter().map(|text| text.unwrap_or("").to_owned()).collect()
        }
    };
    seq.values().iter().copied().zip(shown).collect()
}
