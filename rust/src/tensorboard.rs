//! Owns the decoding of TensorBoard event files: records in, batches of columns out.
//!
//! An event is one source row: all values in it share its number. It has one if it holds something
//! that becomes a row or is kept as it is; not if it only says what wrote the file, what hparams
//! there are, or what our own writer keeps in it.

mod decoder;
mod dtype;
pub mod encoder;
mod event;
mod fields;
mod histogram;
pub mod marks;
mod media;
mod metadata;
mod nested;
mod own_field;
mod plugin;
mod record;
mod rows;
mod series;
mod tensor;
mod time;
mod value;

use std::io::{Read, Seek, SeekFrom};
use std::mem::take;

use arrow_array::RecordBatch;

use crate::columns::slices;
use crate::damage::Damage;
use crate::tfrecord::{HEADER, RecordReader, may_begin};
use crate::unreadable::Unreadable;
use decoder::Decoder;
use event::EventParts;

pub use record::{Message, OtherRecord};
pub use series::SeriesName;

/// So many whole records are looked at before a file is said to hold no events.
const LOOKED_AT: usize = 8;

/// What was decoded from some events.
#[derive(Debug, Default)]
pub struct Batch {
    pub points: Option<RecordBatch>,
    pub texts: Option<RecordBatch>,
    pub histograms: Option<RecordBatch>,
    pub media: Option<RecordBatch>,
    pub series: Vec<SeriesName>,
    pub records: Vec<OtherRecord>,
    pub damage: Vec<Damage>,
}

/// Reads a file batch by batch.
pub struct Scanner<S> {
    records: RecordReader<S>,
    decoder: Decoder,
    rows: usize,
    /// Slices of an event that has more rows than a batch.
    slices: Vec<Batch>,
    offset: u64,
    seq: i64,
}

impl<S: Read + Seek> Scanner<S> {
    /// A scan from `offset` of batches with at most `rows` rows a table; `seq` numbers the next row,
    /// `plugins` are those that the tags before `offset` have.
    pub fn new(
        mut source: S,
        offset: u64,
        seq: i64,
        rows: usize,
        plugins: &[(String, String)],
    ) -> Result<Self, Unreadable> {
        let length = source.seek(SeekFrom::End(0))?;
        if offset == 0 && !may_be_events(&mut source, length)? {
            return Err(Unreadable::OtherFormat);
        }
        let mut decoder = Decoder::new(seq);
        for (tag, plugin) in plugins {
            decoder.series.add_tag(tag.as_bytes(), plugin.as_bytes());
        }
        Ok(Self {
            records: RecordReader::new(source, offset, length),
            decoder,
            rows: rows.max(1),
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
            self.offset = self.records.committed();
            self.seq = self.decoder.seq;
        }
        Ok(slice)
    }

    fn decode(&mut self) -> Result<Batch, Unreadable> {
        while let Some(record) = self.records.next_record()? {
            self.decoder
                .take(record.offset, record.end, record.payload)?;
            if !self.decoder.has_room(self.rows) || self.records.damaged() >= self.rows {
                break;
            }
        }
        let mut batch = self.decoder.finish(self.rows)?;
        batch.damage.extend(self.records.take_damage());
        batch.damage.sort_by_key(|damage| damage.offset);
        Ok(batch)
    }

    /// Where a later scan continues: behind the last record handed out.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The number of the next row.
    pub fn seq(&self) -> i64 {
        self.seq
    }

    /// Tags with the plugin that values without metadata belong to.
    pub fn plugins(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.decoder.series.plugins()
    }
}

/// Whether a whole event is in it, or what there is may be the beginning of one.
fn may_be_events<S: Read + Seek>(source: &mut S, length: u64) -> Result<bool, Unreadable> {
    let mut records = RecordReader::new(&mut *source, 0, length);
    let mut looked_at = 0;
    while let Some(record) = records.next_record()? {
        if EventParts::of(record.payload)
            .is_ok_and(|event| event.rest().is_none_or(|rest| rest.stranger.is_none()))
        {
            return Ok(true);
        }
        looked_at += 1;
        if looked_at == LOOKED_AT {
            return Ok(false);
        }
    }
    if looked_at > 0 {
        return Ok(false);
    }
    source.seek(SeekFrom::Start(0))?;
    let mut header = Vec::new();
    source
        .by_ref()
        .take(HEADER as u64)
        .read_to_end(&mut header)?;
    Ok(may_begin(&header))
}

impl Batch {
    /// The same in batches of at most `rows` rows a table; none if there is nothing in it.
    fn split(mut self, rows: usize) -> Vec<Self> {
        let mut points = slices(self.points.take(), rows);
        let mut texts = slices(self.texts.take(), rows);
        let mut histograms = slices(self.histograms.take(), rows);
        let mut media = slices(self.media.take(), rows);
        let mut parts = Vec::new();
        loop {
            let part = Self {
                points: points.next(),
                texts: texts.next(),
                histograms: histograms.next(),
                media: media.next(),
                ..take(&mut self) // what is no table goes with the first slice
            };
            if part.is_empty() {
                return parts;
            }
            parts.push(part);
        }
    }

    fn is_empty(&self) -> bool {
        let tables = [&self.points, &self.texts, &self.histograms, &self.media];
        tables.iter().all(|table| table.is_none())
            && self.series.is_empty()
            && self.records.is_empty()
            && self.damage.is_empty()
    }
}
