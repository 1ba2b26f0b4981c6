//! Owns the decoding of `.swanlab` files: records in, batches of columns out.
//!
//! Scalars become points and terminal lines become console rows; every other record is handed on as
//! bytes. The files are LevelDB logs as those of W&B. Version 2 has protobuf records
//! (`swanlab.record.v1.Record`, swanlab 0.8 to 0.10), version 1 has JSON (`backup.swanlab`), which
//! is handed on as it stands.

mod decoder;
pub mod encoder;
mod record;

use std::io::{Read, Seek};

use arrow_array::RecordBatch;

use crate::damage::Damage;
use crate::leveldb::{LogReader, header_of};
use crate::unreadable::Unreadable;
use decoder::Decoder;

pub use decoder::{Group, OtherRecord};
pub use record::number_of;

/// `:SWL` and the magic number; the version byte follows.
const MAGIC: [u8; 6] = *b":SWL\xd6\xe1";
/// Records of JSON.
const JSON: u8 = 1;
/// Records of protobuf.
const PROTOBUF: u8 = 2;

/// What a scan starts from.
#[derive(Clone, Debug, Default)]
pub struct Start {
    pub offset: u64,
    pub seq: i64,
    /// The values that were logged together last: more of them may follow.
    pub group: Option<Group>,
}

/// What was decoded from some records.
#[derive(Debug, Default)]
pub struct Batch {
    pub points: Option<RecordBatch>,
    pub console: Option<RecordBatch>,
    /// Keys of scalars with a first value in this batch, by their numbers.
    pub series: Vec<String>,
    pub records: Vec<OtherRecord>,
    pub damage: Vec<Damage>,
}

/// Reads a file batch by batch.
pub struct Scanner<S> {
    log: LogReader<S>,
    decoder: Decoder,
    rows: usize,
    pub version: u8,
}

impl<S: Read + Seek> Scanner<S> {
    /// A scan of batches with at most `rows` rows a table.
    pub fn new(mut source: S, start: &Start, rows: usize) -> Result<Self, Unreadable> {
        let header = header_of(&mut source, &MAGIC)?;
        let version = header.version.unwrap_or(PROTOBUF);
        if !matches!(version, JSON | PROTOBUF) {
            return Err(Unreadable::UnknownVersion(version));
        }
        Ok(Self {
            log: LogReader::new(source, start.offset, header.length, Some(0)),
            decoder: Decoder::new(start),
            rows: rows.max(1),
            version,
        })
    }

    /// The next batch; None at the end of the file.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, Unreadable> {
        while self.decoder.has_room(self.rows) && self.log.damaged() < self.rows {
            let Some(frame) = self.log.next_record()? else {
                break;
            };
            let (offset, end) = (frame.offset, frame.end);
            if self.version == JSON {
                self.decoder.hand_on(0, offset, frame.payload);
            } else {
                self.decoder.take(offset, end, frame.payload);
            }
        }
        let mut batch = self.decoder.finish()?;
        batch.damage.extend(self.log.take_damage());
        batch.damage.sort_by_key(|damage| damage.offset);
        Ok((!batch.is_empty()).then_some(batch))
    }

    /// Where a later scan continues: behind the last record handed out.
    pub fn offset(&self) -> u64 {
        self.log.committed()
    }

    /// The number of the next row.
    pub fn seq(&self) -> i64 {
        self.decoder.seq
    }

    /// The values that were logged together last.
    pub fn group(&self) -> Option<Group> {
        self.decoder.group()
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.points.is_none()
            && self.console.is_none()
            && self.series.is_empty()
            && self.records.is_empty()
            && self.damage.is_empty()
    }
}
