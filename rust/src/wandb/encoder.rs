//! Owns rows as records of a `.wandb` file: the values of a step in one history row, whichever table
//! they come from, and in `own` what W&B has no place for.
//!
//! Tables come in windows: of each table the rows up to a common end, all in order of step. What may
//! still get company waits in `lanes` and leaves them as `runs`; `rows` puts records together,
//! `numbers` counts them, `items` spells values.

mod items;
mod lanes;
mod numbers;
mod rows;
mod runs;

use std::collections::HashMap;

use crate::leveldb::writing::LogWriter;
use crate::protobuf::writing::{
    bytes, bytes_header, bytes_length, timestamp, varint_field, zigzag,
};
use crate::tables::{Error, Words, consoles};
use crate::wandb::own;
use crate::wandb::record::OUTPUT_RAW;
use crate::wandb::sink::Stream;
use arrow_array::RecordBatch;
use items::SeriesPlace;
use lanes::Lanes;
use numbers::Numbers;
use rows::OpenRow;

pub use lanes::Table;

/// `:W&B`, the magic number, version 0.
const FILE_HEADER: [u8; 7] = *b":W&B\xe1\xbe\0";

/// Turns tables into records, appended to `log.out`, which the caller empties as it likes.
pub struct RunLog {
    pub log: LogWriter,
    series: Vec<SeriesPlace>,
    by_key: HashMap<String, u32>,
    lanes: Lanes,
    history: OpenRow,
    statistics: OpenRow,
    numbers: Numbers,
    /// Bytes of values in a row; what would make it longer is left out and counted.
    longest_row: Option<usize>,
    /// Scratch.
    message: Vec<u8>,
}

impl RunLog {
    /// `started_ns` is what durations are counted from.
    pub fn new(started_ns: Option<i64>, longest_row: Option<usize>) -> Self {
        Self {
            log: LogWriter::new(FILE_HEADER),
            series: Vec::new(),
            by_key: HashMap::new(),
            lanes: Lanes::default(),
            history: OpenRow::new(Stream::User),
            statistics: OpenRow::new(Stream::System),
            numbers: Numbers::new(started_ns),
            longest_row,
            message: Vec::new(),
        }
    }

    /// Where the rows of a series go, told before the first of them.
    pub fn declare(&mut self, key: &str, path: &[String], stream: Stream) {
        let place = SeriesPlace::new(path, stream);
        match self.by_key.get(key) {
            Some(number) => self.series[*number as usize] = place,
            None => {
                self.by_key.insert(key.to_owned(), self.series.len() as u32);
                self.series.push(place);
            }
        }
    }

    /// Rows of one of the tables that have steps. Writes what can get no more company.
    pub fn rows(&mut self, table: Table, batch: &RecordBatch) -> Result<(), Error> {
        if let Some(bound) = self.lanes.bound(table, batch)? {
            self.flush(Some(bound)); // before more is spelled: it is still at hand
        }
        self.lanes.take(table, batch, &self.by_key, &self.series)
    }

    /// No more rows come: writes those that wait.
    pub fn finish_rows(&mut self) {
        self.flush(None);
    }

    /// Of all that wait what comes before `bound`: the last row may get more values later.
    fn flush(&mut self, bound: Option<lanes::Rank>) {
        while let Some(mut values) = self.lanes.next(bound, &self.series) {
            let (open, other) = match values.stream {
                Stream::User => (&mut self.history, &mut self.statistics),
                Stream::System => (&mut self.statistics, &mut self.history),
            };
            for row in [&mut *open, other] {
                if row.is_before(&values) {
                    row.close(&mut self.numbers, &mut self.log);
                }
            }
            open.add_together(&mut values, self.longest_row);
            while let Some(value) = values.pop() {
                if open.holds(&value) || !open.has_room(&value) {
                    open.close(&mut self.numbers, &mut self.log);
                }
                if open.is_beyond(&value, self.longest_row) {
                    *self.numbers.too_long.entry(value.series).or_default() += 1;
                    continue;
                }
                open.add(&value);
            }
        }
        self.lanes.settle();
        if bound.is_some() {
            return;
        }
        for row in [&mut self.history, &mut self.statistics] {
            row.close(&mut self.numbers, &mut self.log);
        }
    }

    /// Rows of `tables.CONSOLE`.
    pub fn console(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.finish_rows();
        let lines = consoles(batch)?;
        let streams = Words::new(batch, "stream", &["stdout", "stderr"])?;
        for row in 0..batch.num_rows() {
            self.message.clear();
            let mut message = std::mem::take(&mut self.message);
            if streams.at(row) == 0 {
                varint_field(&mut message, 1, 1);
            }
            if let Some(time_ns) = lines.time_ns(row)? {
                timestamp(&mut message, 2, time_ns);
            }
            bytes(&mut message, 3, lines.line.value(row).as_bytes());
            varint_field(&mut message, own::FIELD, zigzag(lines.seq.value(row)));
            self.numbers.record(&mut self.log, OUTPUT_RAW, &[&message]);
            self.message = message;
        }
        Ok(())
    }

    /// A record that is spelled already.
    pub fn record(&mut self, number: u32, message: &[u8]) {
        self.numbers.record(&mut self.log, number, &[message]);
    }

    /// Rows of W&B's history so far, and how many values are shown at the time of their row
    /// instead of theirs.
    pub fn counts(&self) -> (u64, u64) {
        (self.numbers.history, self.numbers.moved)
    }

    /// How many values of a key had no room in their row.
    pub fn too_long(&self) -> impl Iterator<Item = (&str, u64)> {
        self.by_key.iter().filter_map(|(key, number)| {
            let count = self.numbers.too_long.get(number)?;
            Some((key.as_str(), *count))
        })
    }
}

/// An item of a history row or of statistics.
#[inline]
fn put_item(out: &mut Vec<u8>, field: u32, key: &[u8], json: &[u8]) {
    let length = key.len() + bytes_length(items::VALUE_JSON, json.len());
    out.reserve(length + 16);
    if length < 0x80 && field < 16 {
        // as the lines below would, where each number is one byte
        out.extend_from_slice(&[(field << 3 | 2) as u8, length as u8]);
        out.extend_from_slice(key);
        out.extend_from_slice(&[items::VALUE_TAG[0], items::VALUE_TAG[1], json.len() as u8]);
        out.extend_from_slice(json);
        return;
    }
    bytes_header(out, field, length);
    out.extend_from_slice(key);
    bytes(out, items::VALUE_JSON, json);
}
