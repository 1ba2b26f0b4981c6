//! Owns the decoding of `.wandb` files: records in, batches of columns out.
//!
//! History rows and system statistics become points and values, output becomes console lines, of
//! the summary only the last value of each path is kept; every other record is handed on as bytes.

mod address;
mod decoder;
pub mod encoder;
pub(crate) mod keys;
mod media;
mod own;
pub(crate) mod record;
mod rows;
pub(crate) mod sink;
mod summary;

use std::io::{Read, Seek};
use std::mem::take;

use arrow_array::RecordBatch;

use crate::columns::slices;
use crate::damage::Damage;
use crate::leveldb::{LogReader, header_of};
use crate::unreadable::Unreadable;
use decoder::{Decoder, Fit};
use sink::{SeriesName, Sink};
use summary::LastValue;

pub use decoder::OtherRecord;

/// What a file begins with; the version byte follows.
const MAGIC: [u8; 6] = *b":W&B\xe1\xbe";
/// The only version there is.
const VERSION: u8 = 0;

/// What a scan starts from.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    pub offset: u64,
    pub origin: Option<u64>,
    pub seq: i64,
    /// Read files of an unknown version as if it were ours.
    pub any_version: bool,
}

/// The framing of a `.wandb` file, once its header is found to be one.
pub fn open_log<S: Read + Seek>(mut source: S, start: &Start) -> Result<LogReader<S>, Unreadable> {
    let header = header_of(&mut source, &MAGIC)?;
    if let Some(version) = header.version
        && version != VERSION
        && !start.any_version
    {
        return Err(Unreadable::UnknownVersion(version));
    }
    Ok(LogReader::new(
        source,
        start.offset,
        header.length,
        start.origin,
    ))
}

/// What was decoded from some records.
#[derive(Debug, Default)]
pub struct Batch {
    pub points: Option<RecordBatch>,
    pub values: Option<RecordBatch>,
    pub console: Option<RecordBatch>,
    pub series: Vec<SeriesName>,
    pub records: Vec<OtherRecord>,
    pub damage: Vec<Damage>,
}

/// Reads a file batch by batch.
pub struct Scanner<S> {
    log: LogReader<S>,
    decoder: Decoder,
    rows: usize,
    /// A record that did not fit into the last batch.
    held: Option<Held>,
    /// Slices of a row that is longer than a batch.
    slices: Vec<Batch>,
    offset: u64,
    seq: i64,
}

struct Held {
    offset: u64,
    end: u64,
    bytes: Vec<u8>,
}

impl<S: Read + Seek> Scanner<S> {
    /// A scan of batches with at most `rows` rows a table.
    pub fn new(source: S, start: &Start, rows: usize) -> Result<Self, Unreadable> {
        let log = open_log(source, start)?;
        let decoder = Decoder::new(start.seq);
        let (offset, seq) = (start.offset, start.seq);
        let rows = rows.max(1);
        Ok(Self {
            log,
            decoder,
            rows,
            held: None,
            slices: Vec::new(),
            offset,
            seq,
        })
    }

    /// The next batch; None at the end of the file.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, Unreadable> {
        if self.slices.is_empty() {
            let batch = self.decode()?;
            self.slices = batch.split(self.rows);
            self.slices.reverse();
        }
        let slice = self.slices.pop();
        if self.slices.is_empty() {
            self.advance();
        }
        Ok(slice)
    }

    fn decode(&mut self) -> Result<Batch, Unreadable> {
        if let Some(held) = self.held.take() {
            self.decoder
                .take(held.offset, held.end, &held.bytes, usize::MAX);
        }
        while self.decoder.has_room(self.rows) && self.log.damaged() < self.rows {
            let Some(frame) = self.log.next_record()? else {
                self.decoder.close();
                break;
            };
            let (offset, end) = (frame.offset, frame.end);
            if self.decoder.take(offset, end, frame.payload, self.rows) == Fit::NotTaken {
                let bytes = frame.payload.to_vec();
                self.held = Some(Held { offset, end, bytes });
                break;
            }
        }
        let mut batch = self.decoder.finish()?;
        batch.damage.extend(self.log.take_damage());
        batch.damage.sort_by_key(|damage| damage.offset);
        Ok(batch)
    }

    /// All that was read has been handed out: a later scan may start behind it.
    fn advance(&mut self) {
        self.seq = self.decoder.seq;
        self.offset = match &self.held {
            Some(held) => held.offset,
            None => self.log.committed(),
        };
    }

    /// Where a later scan continues: behind the last record handed out.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The number of the next row.
    pub fn seq(&self) -> i64 {
        self.seq
    }

    /// Where blocks are counted from, once that has shown.
    pub fn origin(&self) -> Option<u64> {
        self.log.origin()
    }

    /// The last value of each summary path that was seen; None for one that was removed.
    pub fn summary(&self) -> Vec<LastValue> {
        self.decoder.summary.last_values(&mut Sink::default())
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        let tables = [&self.points, &self.values, &self.console];
        tables.iter().all(|table| table.is_none())
            && self.series.is_empty()
            && self.records.is_empty()
            && self.damage.is_empty()
    }

    /// The same in batches of at most `rows` rows a table, more than one only for a giant row; none
    /// if there is nothing in it.
    fn split(mut self, rows: usize) -> Vec<Self> {
        let mut points = slices(self.points.take(), rows);
        let mut values = slices(self.values.take(), rows);
        let mut parts = Vec::new();
        loop {
            let part = Self {
                points: points.next(),
                values: values.next(),
                ..take(&mut self) // what is no table goes with the first slice
            };
            if part.is_empty() {
                return parts;
            }
            parts.push(part);
        }
    }
}
