//! Owns rows as events: each source row one record, with what TensorBoard has no place for in 1517.
//!
//! `scalars`, `texts` and `histograms` say how a row of theirs is shown, with
//! `spelling`; `tags` under which tag.

mod histograms;
mod scalars;
mod spelling;
mod tags;
mod texts;

use std::collections::HashMap;

use arrow_array::RecordBatch;

use crate::protobuf::fixed64_key;
use crate::protobuf::writing::{bytes, bytes_header, varint_field};
use crate::tables::{AddressColumns, RowAddress};
use crate::tensorboard::fields::{event, summary};
use crate::tensorboard::own_field::OwnBuilder;
use crate::tensorboard::plugin::Shown;
use crate::tensorboard::time::{ns_of, wall_time};
use crate::tfrecord;
use tags::{Spelled, Tags};

pub use histograms::HistogramRows;
pub use scalars::PointRows;
pub use tags::Facts;
pub use texts::TextRows;

pub use crate::tables::Error;

/// A table on its way: its addresses, the tags of its keys, the next row.
pub struct TableRows {
    pub address: AddressColumns,
    pub tags: Vec<Option<Spelled>>,
    pub next: usize,
}

impl TableRows {
    pub fn new(batch: &RecordBatch) -> Result<Self, Error> {
        let address = AddressColumns::new(batch)?;
        let tags = (0..address.names()).map(|_| None).collect();
        Ok(Self {
            address,
            tags,
            next: 0,
        })
    }
}

/// Turns tables into records, appended to `out`, which the caller empties as it likes.
pub struct EventEncoder {
    pub out: Vec<u8>,
    pub tags: Tags,
    /// Whether scalars that 32 bits would round are spelled as doubles.
    doubles: bool,
    /// The last time that was known: rows without one are shown there.
    shown_time: f64,
    values: Vec<u8>,
    own: OwnBuilder,
}

impl EventEncoder {
    pub fn new(known: HashMap<String, String>, doubles: bool) -> Self {
        Self {
            out: Vec::new(),
            tags: Tags::new(known),
            doubles,
            shown_time: 0.0,
            values: Vec::new(),
            own: OwnBuilder::default(),
        }
    }

    /// An event that is spelled already. Returns the place of its payload in `out`.
    pub fn event(&mut self, payload: &[u8]) -> usize {
        let at = tfrecord::begin(&mut self.out);
        self.out.extend_from_slice(payload);
        tfrecord::end(&mut self.out, at);
        at + tfrecord::HEADER
    }

    /// One event for all neighbours that share an address, until `enough` bytes wait; false when all
    /// rows are through.
    fn rows(
        &mut self,
        table: &mut TableRows,
        enough: usize,
        plugin: Shown,
        mut put: impl FnMut(usize, Target<'_>),
    ) -> Result<bool, Error> {
        let TableRows {
            address,
            tags,
            next,
        } = table;
        // the first row of a table states its number
        let last = next.checked_sub(1).map(|last| address.at(last).seq);
        let mut expected = last.and_then(|seq| seq.checked_add(1));
        while *next < address.rows() {
            if self.out.len() >= enough {
                return Ok(true);
            }
            let at = address.at(*next);
            self.values.clear();
            self.own.clear();
            while *next < address.rows() && address.at(*next) == at {
                let place = address.place(*next);
                let spelled = tags[place]
                    .get_or_insert_with(|| self.tags.spelled(address.name(place), plugin));
                let target = Target {
                    spelled,
                    values: &mut self.values,
                    own: &mut self.own,
                };
                put(*next, target);
                *next += 1;
            }
            self.put_event(&at, expected)?;
            expected = at.seq.checked_add(1);
        }
        Ok(false)
    }

    fn put_event(&mut self, at: &RowAddress, expected: Option<i64>) -> Result<(), Error> {
        if expected != Some(at.seq) {
            self.own.seq(at.seq);
        }
        if let Some(millionths) = at.step_frac {
            self.own.step_frac(millionths);
        }
        self.own.nulls(at.step.is_none(), at.time_us.is_none());
        if let Some(time_ns) = at.time_ns()? {
            self.shown_time = wall_time(time_ns);
            if ns_of(self.shown_time) != (Some(time_ns), None) {
                self.own.time_ns(time_ns);
            }
        }
        let frame = tfrecord::begin(&mut self.out);
        self.out.push(fixed64_key(event::WALL_TIME));
        self.out.extend_from_slice(&self.shown_time.to_le_bytes());
        // a row without a step is shown at its own number
        varint_field(&mut self.out, event::STEP, at.step.unwrap_or(at.seq) as u64);
        bytes(&mut self.out, event::SUMMARY, &self.values);
        self.own.put(&mut self.out);
        tfrecord::end(&mut self.out, frame);
        Ok(())
    }
}

/// Where a row goes: the event at work.
struct Target<'a> {
    spelled: &'a mut Spelled,
    values: &'a mut Vec<u8>,
    own: &'a mut OwnBuilder,
}

impl Target<'_> {
    /// One `Summary.value`: its tag, what it shows, and its metadata if it is the first of the tag.
    fn show(&mut self, content: &[u8]) {
        let Spelled { tag, metadata, .. } = &mut *self.spelled;
        let length = tag.len() + metadata.len() + content.len();
        bytes_header(self.values, summary::VALUE, length);
        self.values.extend_from_slice(tag);
        self.values.extend_from_slice(content);
        self.values.extend_from_slice(metadata);
        metadata.clear();
    }
}
