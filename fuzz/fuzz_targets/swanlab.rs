//! Any bytes as a `.swanlab` file: no panic, no value that was not there, nothing lost unsaid.
//!
//! Run for half a minute, with the toolchain at hand: FUZZ_SECONDS=30 and the step `fuzz` of .ci/run.
#![no_main]

mod log_writer;

use std::io::Cursor;

use _native::swanlab::{Scanner, Start};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use libfuzzer_sys::fuzz_target;
use log_writer::write;

const HEADER: &[u8] = b":SWL\xd6\xe1\x02";
const ROWS: usize = 16;

fuzz_target!(|input: &[u8]| {
    let Some((mode, bytes)) = input.split_first() else { return };
    let mut file = match mode % 4 {
        0 => bytes.to_vec(),
        1 => [HEADER, bytes].concat(),
        _ => write(bytes).file,
    };
    if mode % 4 > 1 && file.len() >= HEADER.len() {
        file[..HEADER.len()].copy_from_slice(HEADER);
        file[HEADER.len() - 1] = 1 + mode % 2; // either version
    }
    let (rows, starts) = scan(&file, &Start::default(), ROWS);
    assert_eq!(sorted(&rows), sorted(&scan(&file, &Start::default(), usize::MAX).0));
    for (start, done) in starts {
        let (rest, _) = scan(&file, &start, ROWS);
        assert_eq!(sorted(&rest), sorted(&rows[done..]));
    }
});

type Row = (i64, String);

/// Kinds of rows come apart by batches.
fn sorted(rows: &[Row]) -> Vec<Row> {
    let mut rows = rows.to_vec();
    rows.sort();
    rows
}

/// Every row with its number; where a later scan may begin, and how many rows lie before that.
fn scan(file: &[u8], start: &Start, most: usize) -> (Vec<Row>, Vec<(Start, usize)>) {
    let Ok(mut scanner) = Scanner::new(Cursor::new(file), start, most) else {
        return (Vec::new(), Vec::new());
    };
    let (mut rows, mut starts) = (Vec::new(), Vec::new());
    let (mut names, mut end) = (Vec::new(), start.offset);
    while let Some(batch) = scanner.next_batch().expect("memory can be read") {
        names.extend(batch.series);
        if let Some(points) = &batch.points {
            assert!((1..=most).contains(&points.num_rows()));
            let series = points["series"].as_primitive::<Int32Type>();
            let values = points["value"].as_primitive::<Float64Type>();
            let seq = points["seq"].as_primitive::<Int64Type>();
            for row in 0..points.num_rows() {
                let name = &names[series.value(row) as usize];
                rows.push((seq.value(row), format!("{name} {:?}", values.value(row))));
            }
        }
        if let Some(console) = &batch.console {
            let seq = console["seq"].as_primitive::<Int64Type>();
            let lines = console["line"].as_string::<i32>();
            rows.extend((0..console.num_rows()).map(|row| (seq.value(row), lines.value(row).into())));
        }
        for record in &batch.records {
            rows.push((record.seq, format!("#{} {}", record.number, record.offset)));
        }
        for damage in &batch.damage {
            assert!(damage.length > 0 && damage.offset + damage.length <= file.len() as u64);
        }
        assert!(end <= scanner.offset());
        end = scanner.offset();
        let next = Start { offset: end, seq: scanner.seq(), group: scanner.group() };
        starts.push((next, rows.len()));
    }
    assert!(end <= file.len().max(HEADER.len()) as u64);
    (rows, starts)
}
