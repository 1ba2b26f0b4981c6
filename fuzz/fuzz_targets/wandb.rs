//! Any bytes as a `.wandb` file: no panic, no row out of bounds, nothing lost unsaid.
//!
//! Run for half a minute: cargo +nightly fuzz run wandb -- -max_total_time=30 -rss_limit_mb=512
#![no_main]

use std::io::Cursor;

use _native::wandb::{Scanner, Start};
use libfuzzer_sys::fuzz_target;

const HEADER: &[u8] = b":W&B\xe1\xbe\x00";
const ROWS: usize = 16;

fuzz_target!(|input: &[u8]| {
    let Some((mode, bytes)) = input.split_first() else { return };
    let file = match mode % 3 {
        0 => bytes.to_vec(),
        1 => [HEADER, bytes].concat(),
        _ => framed(bytes),
    };
    let start = Start { offset: 0, origin: None, seq: 0, any_version: true };
    let Ok(mut scanner) = Scanner::new(Cursor::new(&file), &start, ROWS) else { return };
    let mut end = 0;
    while let Ok(Some(batch)) = scanner.next_batch() {
        for table in [&batch.points, &batch.values, &batch.console].into_iter().flatten() {
            assert!((1..=ROWS).contains(&table.num_rows()));
        }
        for damage in &batch.damage {
            assert!(damage.length > 0 && damage.offset + damage.length <= file.len() as u64);
        }
        assert!(end <= scanner.offset());
        end = scanner.offset();
    }
    assert!(end <= file.len().max(HEADER.len()) as u64);
    let _ = scanner.summary();
});

/// The bytes as records with good checksums, so that what lies behind the framing is reached:
/// each begins with a length.
fn framed(mut bytes: &[u8]) -> Vec<u8> {
    let mut file = HEADER.to_vec();
    while let Some((length, rest)) = bytes.split_first() {
        let (record, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        let mut crc = crc32fast::Hasher::new();
        crc.update(&[1]);
        crc.update(record);
        file.extend(crc.finalize().to_le_bytes());
        file.extend((record.len() as u16).to_le_bytes());
        file.push(1);
        file.extend(record);
        bytes = rest;
    }
    file
}
