//! Owns the wire form of `Event`: fields in any order, unknown ones told.

use crate::protobuf::{
    Fields, Malformed, Wire, bytes_key, fixed64_key, take_bytes_field, varint, varint_key, writing,
};
use crate::tensorboard::fields::{event, summary};
use crate::tensorboard::own_field::{OWN, Own};

const TIME_KEY: u8 = fixed64_key(event::WALL_TIME);
const STEP_KEY: u8 = varint_key(event::STEP);
const SUMMARY_KEY: u8 = bytes_key(event::SUMMARY);

/// An event, taken apart. It is small, since it is made two million times.
#[derive(Default)]
pub struct EventParts<'a> {
    pub wall_time: f64,
    pub step: i64,
    summary: &'a [u8],
    rest: Option<Box<Rest<'a>>>,
}

/// What few events hold.
#[derive(Default)]
pub struct Rest<'a> {
    pub own: Option<Own<'a>>,
    /// What holds something else: number and bytes, in the order of the file.
    pub others: Vec<(u32, &'a [u8])>,
    /// The first field that is no part of an event.
    pub stranger: Option<u32>,
    /// Several summaries are one.
    summary: Vec<u8>,
}

impl<'a> EventParts<'a> {
    #[inline(always)]
    pub fn of(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut parts = Self::default();
        let mut rest = message;
        // As every writer has it: time, step unless it is zero, summary.
        if let [TIME_KEY, tail @ ..] = rest
            && let Some((time, tail)) = tail.split_first_chunk::<8>()
        {
            parts.wall_time = f64::from_le_bytes(*time);
            rest = tail;
        }
        if let [STEP_KEY, tail @ ..] = rest {
            rest = tail;
            parts.step = varint(&mut rest)? as i64;
        }
        if let Some(summary) = take_bytes_field(&mut rest, SUMMARY_KEY) {
            parts.summary = summary;
        }
        if !rest.is_empty() {
            parts.add(rest)?;
        }
        Ok(parts)
    }

    #[inline(never)]
    fn add(&mut self, fields: &'a [u8]) -> Result<(), Malformed> {
        let rest = self.rest.get_or_insert_default();
        for field in Fields::new(fields) {
            match field? {
                (event::WALL_TIME, Wire::Fixed64(bits)) => self.wall_time = f64::from_bits(bits),
                (event::STEP, Wire::Varint(step)) => self.step = step as i64,
                (event::SUMMARY, Wire::Bytes(summary)) if self.summary.is_empty() => {
                    self.summary = summary;
                }
                (event::SUMMARY, Wire::Bytes(summary)) => {
                    if rest.summary.is_empty() {
                        rest.summary = self.summary.to_vec();
                    }
                    rest.summary.extend_from_slice(summary);
                }
                (
                    number @ (event::FILE_VERSION
                    | event::GRAPH_DEF
                    | event::LOG_MESSAGE..=event::SOURCE_METADATA),
                    Wire::Bytes(bytes),
                ) => {
                    rest.others.push((number, bytes));
                }
                (OWN, Wire::Bytes(own)) => rest.own = Some(Own::of(own)?),
                (number, _) => rest.stranger = rest.stranger.or(Some(number)),
            }
        }
        Ok(())
    }

    #[inline]
    pub fn summary(&self) -> &[u8] {
        match &self.rest {
            Some(rest) if !rest.summary.is_empty() => &rest.summary,
            _ => self.summary,
        }
    }

    #[inline]
    pub fn rest(&self) -> Option<&Rest<'a>> {
        self.rest.as_deref()
    }

    #[inline]
    pub fn own(&self) -> Option<&Own<'a>> {
        self.rest.as_ref()?.own.as_ref()
    }
}

/// The event without its summary, and with this one value as its summary if there is one.
pub fn with_one_value(whole: &[u8], value: Option<&[u8]>) -> Vec<u8> {
    let mut written = Vec::with_capacity(64 + value.map_or(0, <[u8]>::len));
    let mut fields = Fields::new(whole);
    let mut start = 0;
    while let Some(Ok((number, _))) = fields.next() {
        let end = whole.len() - fields.rest().len();
        if number != event::SUMMARY {
            written.extend_from_slice(&whole[start..end]);
        }
        start = end;
    }
    if let Some(value) = value {
        let length = writing::bytes_length(summary::VALUE, value.len());
        writing::bytes_header(&mut written, event::SUMMARY, length);
        writing::bytes(&mut written, summary::VALUE, value);
    }
    written
}
