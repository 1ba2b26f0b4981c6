//! Owns what becomes of an event: rows of scalars, texts, histograms and media, or a record.
//!
//! `address` says where its rows belong, `values` which table takes a value, `scalars` and `shown` make
//! rows of it, `records` keeps all else.

mod address;
mod records;
mod scalars;
mod shown;
mod values;

use std::mem::{replace, take};

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;

use crate::columns::{At, Points};
use crate::damage::{Damage, Reason};
use crate::tensorboard::Batch;
use crate::tensorboard::event::EventParts;
use crate::tensorboard::own_field::Own;
use crate::tensorboard::record::OtherRecord;
use crate::tensorboard::rows::{HistogramRows, MediaRows, TextRows};
use crate::tensorboard::series::SeriesTable;
use address::address_of;

/// A batch ends behind the event that brings it here; scalars are not counted.
const BATCH_BYTES: usize = 16 << 20;

/// Turns events into rows.
pub struct Decoder {
    /// The number of the next source row.
    pub seq: i64,
    pub series: SeriesTable,
    pub points: Points,
    pub texts: TextRows,
    pub histograms: HistogramRows,
    pub media: MediaRows,
    pub records: Vec<OtherRecord>,
    pub damage: Vec<Damage>,
    /// Of the batch at work, but for scalars.
    bytes: usize,
    /// The most rows that one event brought to one table.
    widest: usize,
    scratch: String,
}

/// How many exact integers, exact doubles and histograms.
#[derive(Default)]
struct Used {
    ints: usize,
    doubles: usize,
    histograms: usize,
}

/// The event at work.
struct Event<'a> {
    offset: u64,
    length: u64,
    bytes: &'a [u8],
    at: At,
    /// The step as it stands there, for records.
    step: i64,
    own: Option<&'a Own<'a>>,
    /// Whether it is a source row.
    is_row: bool,
    /// How much of what field 1517 lists is used up.
    used: Used,
}

impl Decoder {
    pub fn new(seq: i64) -> Self {
        Self {
            seq,
            series: SeriesTable::default(),
            points: Points::with_fractions(0),
            texts: TextRows::default(),
            histograms: HistogramRows::default(),
            media: MediaRows::default(),
            records: Vec::new(),
            damage: Vec::new(),
            bytes: 0,
            widest: 1,
            scratch: String::new(),
        }
    }

    /// Whether another event, if none is wider than those before, leaves all tables within `rows`.
    #[inline]
    pub fn has_room(&self, rows: usize) -> bool {
        let widest = self.widest.min(rows / 2);
        self.rows() + widest < rows && self.damage.len() < rows && self.bytes < BATCH_BYTES
    }

    fn rows(&self) -> usize {
        let tables = [
            self.points.rows(),
            self.texts.rows(),
            self.histograms.rows(),
            self.media.rows(),
            self.records.len(),
        ];
        tables.into_iter().max().unwrap_or(0)
    }

    /// What was decoded since this was last asked.
    pub fn finish(&mut self, rows: usize) -> Result<Batch, ArrowError> {
        let room = self.points.rows().min(rows);
        self.bytes = 0;
        let points = replace(&mut self.points, Points::with_fractions(room));
        let (texts, histograms) = (take(&mut self.texts), take(&mut self.histograms));
        let media = take(&mut self.media);
        Ok(Batch {
            points: table(points.rows(), || points.finish())?,
            texts: table(texts.rows(), || texts.finish())?,
            histograms: table(histograms.rows(), || histograms.finish())?,
            media: table(media.rows(), || media.finish())?,
            series: self.series.take_new(),
            records: take(&mut self.records),
            damage: take(&mut self.damage),
        })
    }

    /// Takes an event apart.
    #[inline]
    pub fn take(&mut self, offset: u64, end: u64, bytes: &[u8]) -> Result<(), ArrowError> {
        let length = end - offset;
        let Ok(parts) = EventParts::of(bytes) else {
            self.report(offset, length, Reason::BadRecord);
            return Ok(());
        };
        if parts.own().is_some_and(|own| own.is_shown_only) {
            return Ok(()); // a record of ours says it exactly
        }
        let (at, reason) = address_of(&parts, self.seq);
        if let Some(reason) = reason {
            self.report(offset, length, reason);
        }
        let mut event = Event {
            offset,
            length,
            bytes,
            at,
            step: parts.step,
            own: parts.own(),
            is_row: false,
            used: Used::default(),
        };
        self.take_values(&parts, &mut event)?;
        if let Some(rest) = parts.rest() {
            self.take_others(rest, &mut event);
        }
        if self.series.has_bad_text {
            self.series.has_bad_text = false;
            self.report(offset, length, Reason::BadUtf8);
        }
        if event.is_row {
            self.seq = event.at.seq.saturating_add(1);
        }
        Ok(())
    }

    #[cold]
    fn report(&mut self, offset: u64, length: u64, reason: Reason) {
        self.damage.push(Damage {
            offset,
            length,
            reason,
        });
    }
}

fn table(
    rows: usize,
    finish: impl FnOnce() -> Result<RecordBatch, ArrowError>,
) -> Result<Option<RecordBatch>, ArrowError> {
    (rows > 0).then(finish).transpose()
}
