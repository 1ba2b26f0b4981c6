//! Owns what is counted through a file, and so the numbers of its records.

use std::collections::BTreeMap;

use crate::leveldb::writing::LogWriter;
use crate::protobuf::writing::{bytes_header, varint_field};

/// What is counted through the file.
pub struct Numbers {
    pub started_ns: Option<i64>,
    records: u64,
    last_step: Option<i64>,
    /// When the last statistics were taken.
    last_taken_ns: Option<i64>,
    pub history: u64,
    /// Values that are shown at another time than theirs: that of their row.
    pub moved: u64,
    /// By series: values for which their row had no room.
    pub too_long: BTreeMap<u32, u64>,
}

impl Numbers {
    pub fn new(started_ns: Option<i64>) -> Self {
        Self {
            started_ns,
            records: 0,
            last_step: None,
            last_taken_ns: None,
            history: 0,
            moved: 0,
            too_long: BTreeMap::new(),
        }
    }

    /// A record: its number, and the parts of its message under the number of its type.
    pub fn record(&mut self, log: &mut LogWriter, number: u32, message: &[&[u8]]) {
        self.records += 1;
        let length = message.iter().map(|part| part.len()).sum();
        log.record(|out| {
            out.reserve(length + 32);
            varint_field(out, 1, self.records);
            bytes_header(out, number, length);
            for part in message {
                out.extend_from_slice(part);
            }
        });
    }

    /// Behind the last step, for a row that has none.
    pub fn step_of(&mut self, own: Option<i64>) -> i64 {
        let next = self.last_step.map_or(0, |last| last.saturating_add(1));
        let step = own.unwrap_or(next);
        self.last_step = Some(self.last_step.map_or(step, |last| last.max(step)));
        step
    }

    /// With the last statistics, for those that have no time: `wandb sync` ends where there is none.
    pub fn taken_ns(&mut self, own: Option<i64>) -> i64 {
        let known = own.or(self.last_taken_ns).or(self.started_ns);
        let time_ns = known.unwrap_or_default();
        self.last_taken_ns = Some(time_ns);
        time_ns
    }
}
