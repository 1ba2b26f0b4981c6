//! Owns writing field 1517.

use super::{
    EXACT_DOUBLES, EXACT_INTS, FLAGS, HISTOGRAM, KINDS, Kind, OWN, SEQ, STEP_FRAC, TIME_NS, flag,
    histogram,
};
use crate::protobuf::writing::{bytes, doubles, varint, varint_field, zigzag};

/// The field of the event at work; it says nothing until something is put into it.
#[derive(Default)]
pub struct OwnBuilder {
    /// What an event says once, spelled.
    address: Vec<u8>,
    kinds: Vec<u8>,
    exact_ints: Vec<u8>,
    exact_doubles: Vec<u8>,
    histograms: Vec<u8>,
    /// Scratch for the message, and for that of a histogram.
    message: Vec<u8>,
}

/// Edges and counts, as a row has them.
pub type OwnHistogramLists<'a> = (Option<&'a [f64]>, Option<&'a [f64]>);

impl OwnBuilder {
    pub fn clear(&mut self) {
        self.address.clear();
        self.kinds.clear();
        self.exact_ints.clear();
        self.exact_doubles.clear();
        self.histograms.clear();
    }

    pub fn seq(&mut self, seq: i64) {
        varint_field(&mut self.address, SEQ, seq as u64);
    }

    pub fn step_frac(&mut self, millionths: i32) {
        varint_field(&mut self.address, STEP_FRAC, i64::from(millionths) as u64);
    }

    pub fn nulls(&mut self, step: bool, time: bool) {
        let step = if step { flag::STEP_IS_NULL } else { 0 };
        let time = if time { flag::TIME_IS_NULL } else { 0 };
        if step | time != 0 {
            varint_field(&mut self.address, FLAGS, step | time);
        }
    }

    pub fn time_ns(&mut self, time_ns: i64) {
        varint_field(&mut self.address, TIME_NS, zigzag(time_ns));
    }

    /// What the next value of the event is. Of the exact kinds there are functions of their own.
    pub fn value(&mut self, kind: Kind) {
        self.kinds.push(kind as u8);
    }

    pub fn exact_int(&mut self, value: i64) {
        varint(&mut self.exact_ints, zigzag(value));
        self.value(Kind::ExactInt);
    }

    pub fn exact_float64(&mut self, value: f64) {
        self.exact_double(value, Kind::ExactFloat64);
    }

    pub fn wide_float32(&mut self, value: f64) {
        self.exact_double(value, Kind::WideFloat32);
    }

    pub fn wide_int(&mut self, value: f64) {
        self.exact_double(value, Kind::WideInt);
    }

    fn exact_double(&mut self, value: f64, kind: Kind) {
        self.exact_doubles.extend_from_slice(&value.to_le_bytes());
        self.value(kind);
    }

    /// Appends the field, if it says anything.
    pub fn put(&mut self, out: &mut Vec<u8>) {
        let message = &mut self.message;
        message.clear();
        message.extend_from_slice(&self.address);
        if self.kinds.iter().any(|kind| *kind != Kind::AsSpelled as u8) {
            bytes(message, KINDS, &self.kinds);
        }
        if !self.exact_ints.is_empty() {
            bytes(message, EXACT_INTS, &self.exact_ints);
        }
        if !self.exact_doubles.is_empty() {
            bytes(message, EXACT_DOUBLES, &self.exact_doubles);
        }
        message.extend_from_slice(&self.histograms);
        if !message.is_empty() {
            bytes(out, OWN, message);
        }
    }

    /// A histogram of the event; `lists` where the one shown does not give them back.
    pub fn histogram(
        &mut self,
        counts_kind: u8,
        extra: Option<&str>,
        lists: Option<OwnHistogramLists<'_>>,
    ) {
        let message = &mut self.message;
        message.clear();
        varint_field(message, histogram::COUNTS_KIND, u64::from(counts_kind));
        if let Some(extra) = extra {
            bytes(message, histogram::EXTRA, extra.as_bytes());
        }
        if let Some((edges, counts)) = lists {
            if let Some(edges) = edges {
                doubles(message, histogram::EDGES, edges);
            }
            if let Some(counts) = counts {
                doubles(message, histogram::COUNTS, counts);
            }
            let edges = if edges.is_none() {
                histogram::EDGES_ARE_NULL
            } else {
                0
            };
            let counts = if counts.is_none() {
                histogram::COUNTS_ARE_NULL
            } else {
                0
            };
            varint_field(message, histogram::NULL_LISTS, edges | counts);
        }
        bytes(&mut self.histograms, HISTOGRAM, message);
    }
}
