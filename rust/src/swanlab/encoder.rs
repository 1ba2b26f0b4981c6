//! Owns rows as records of a `.swanlab` file, as SwanLab's reader takes them.
//!
//! SwanLab keeps one value a key and step, of steps from 0 on, and drops any other without a word.
//! So the step of a value that has none, or has one that is taken, is the next free one: rows come
//! in order of step.

use std::collections::HashMap;

use arrow_array::types::Float64Type;
use arrow_array::{Array, RecordBatch};

use crate::leveldb::writing::LogWriter;
use crate::protobuf::writing::{bytes, bytes_header, double, timestamp, varint_field};
use crate::swanlab::record::{LOG, SCALAR, SCALAR_TYPE, numbered};
use crate::tables::{AddressColumns, Error, Words, consoles, primitive};

/// `:SWL`, the magic number, version 2.
const FILE_HEADER: [u8; 7] = *b":SWL\xd6\xe1\x02";

/// How a key is shown, and which of its steps is the next free one.
struct Shown {
    /// The key as a field of a record.
    field: Vec<u8>,
    next_step: i64,
}

/// Turns tables into records, appended to `log.out`, which the caller empties as it likes.
pub struct RunLog {
    pub log: LogWriter,
    shown: Vec<Shown>,
    by_key: HashMap<String, usize>,
    /// What is shown where nobody knows a time: the last one known, first that of the run.
    time_ns: i64,
    records: u64,
    lines: u64,
    scalars: u64,
    moved: u64,
    left_out: u64,
    message: Vec<u8>,
    payload: Vec<u8>,
}

impl RunLog {
    pub fn new(started_ns: i64) -> Self {
        Self {
            log: LogWriter::new(FILE_HEADER),
            shown: Vec::new(),
            by_key: HashMap::new(),
            time_ns: started_ns,
            records: 0,
            lines: 0,
            scalars: 0,
            moved: 0,
            left_out: 0,
            message: Vec::new(),
            payload: Vec::new(),
        }
    }

    /// The name by which SwanLab knows a key, told before its first row.
    pub fn declare(&mut self, key: &str, name: &str) {
        let mut field = Vec::new();
        bytes(&mut field, 1, name.as_bytes());
        self.by_key.insert(key.to_owned(), self.shown.len());
        self.shown.push(Shown {
            field,
            next_step: 0,
        });
    }

    /// The step at which a value of this key is shown; None for a key that was not declared.
    pub fn step(&mut self, key: &str, step: Option<i64>) -> Option<i64> {
        let place = *self.by_key.get(key)?;
        Some(self.step_at(place, step))
    }

    fn step_at(&mut self, place: usize, step: Option<i64>) -> i64 {
        let next = self.shown[place].next_step;
        let free = step.map_or(next, |step| step.max(next));
        self.moved += u64::from(step.is_some_and(|step| step != free));
        self.shown[place].next_step = free.saturating_add(1);
        free
    }

    /// Rows of `tables.POINTS`, in order of step.
    pub fn points(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let addresses = AddressColumns::new(batch)?;
        let values = primitive::<Float64Type>(batch, "value")?;
        let places = (0..addresses.names()).map(|name| self.by_key.get(addresses.name(name)));
        let places: Vec<Option<usize>> = places.map(|place| place.copied()).collect();
        let mut message = std::mem::take(&mut self.message);
        for row in 0..addresses.rows() {
            if values.is_null(row) {
                self.left_out += 1;
                continue;
            }
            let name = addresses.place(row);
            let place = places[name];
            let place = place.ok_or_else(|| Error::Column(addresses.name(name).to_owned()))?;
            let at = addresses.at(row);
            let step = self.step_at(place, at.step);
            self.time_ns = at.time_ns()?.unwrap_or(self.time_ns);
            message.clear();
            message.extend_from_slice(&self.shown[place].field);
            if step != 0 {
                varint_field(&mut message, 2, step as u64);
            }
            varint_field(&mut message, 3, SCALAR_TYPE);
            timestamp(&mut message, 4, self.time_ns);
            bytes_header(&mut message, 5, 9);
            double(&mut message, 1, values.value(row));
            self.records += 1;
            self.put(self.records as i64, self.time_ns, SCALAR, &message);
            self.scalars += 1;
        }
        self.message = message;
        Ok(())
    }

    /// Rows of `tables.CONSOLE`. SwanLab has lines without their ends.
    pub fn console(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let lines = consoles(batch)?;
        let streams = Words::new(batch, "stream", &["stdout", "stderr"])?;
        let mut message = std::mem::take(&mut self.message);
        for row in 0..batch.num_rows() {
            self.lines += 1;
            self.time_ns = lines.time_ns(row)?.unwrap_or(self.time_ns);
            let line = lines.line.value(row);
            let line = line.strip_suffix('\n').unwrap_or(line);
            message.clear();
            bytes(&mut message, 1, line.as_bytes());
            if streams.at(row) == 1 {
                varint_field(&mut message, 2, 1);
            }
            timestamp(&mut message, 3, self.time_ns);
            varint_field(&mut message, 4, self.lines);
            self.records += 1;
            self.put(self.records as i64, self.time_ns, LOG, &message);
        }
        self.message = message;
        Ok(())
    }

    /// A record that is spelled already. `num` below zero is one of SwanLab's own marks.
    pub fn record(&mut self, num: Option<i64>, time_ns: Option<i64>, number: u32, message: &[u8]) {
        let num = num.unwrap_or_else(|| {
            self.records += 1;
            self.records as i64
        });
        self.put(num, time_ns.unwrap_or(self.time_ns), number, message);
    }

    fn put(&mut self, num: i64, time_ns: i64, number: u32, message: &[u8]) {
        self.payload.clear();
        varint_field(&mut self.payload, 1, num as u64);
        timestamp(&mut self.payload, 2, time_ns);
        bytes(&mut self.payload, number, message);
        self.log.record(|out| out.extend_from_slice(&self.payload));
    }

    /// A record of another log, with its own number; or with the next one here, unless its own is
    /// one of SwanLab's marks. SwanLab takes records of one number for one.
    pub fn copied(&mut self, payload: &[u8], is_renumbered: bool) {
        let (num, rest) = numbered(payload);
        if !is_renumbered || num <= 0 {
            self.records = self.records.max(num.max(0) as u64);
            self.log.record(|out| out.extend_from_slice(payload));
            return;
        }
        self.records += 1;
        let num = self.records;
        self.log.record(|out| {
            varint_field(out, 1, num);
            out.extend_from_slice(rest);
        });
    }

    /// Scalars; values of any kind at another step than theirs; nulls, which are not written.
    pub fn counts(&self) -> (u64, u64, u64) {
        (self.scalars, self.moved, self.left_out)
    }
}
