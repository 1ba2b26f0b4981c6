//! Owns rows of W&B while they get their values, and what they become: records.

use std::collections::BTreeMap;

use super::items::{put_float, put_integer};
use super::lanes::{Group, Waiting};
use super::put_item;
use crate::leveldb::LONGEST_RECORD;
use crate::leveldb::writing::LogWriter;
use crate::protobuf::writing::{bytes_header, timestamp, varint_field};
use crate::wandb::address::{ns_to_seconds, time_of};
use crate::wandb::keys::ItemValue;
use crate::wandb::own::{OwnBuilder, Source};
use crate::wandb::record::{HISTORY, STATS};
use crate::wandb::sink::Stream;

const STEP_KEY: &[u8] = b"\x12\x05_step";
const TIMESTAMP_KEY: &[u8] = b"\x12\x0a_timestamp";
const RUNTIME_KEY: &[u8] = b"\x12\x08_runtime";
const NS: i64 = 1_000_000_000;
/// Bytes of values in one row: where they came from needs room in its record as well.
const MOST_VALUES: usize = LONGEST_RECORD / 2;

/// What is counted through the file.
pub struct Numbers {
    started_ns: Option<i64>,
    records: u64,
    last_step: Option<i64>,
    /// When the last statistics were taken.
    last_taken_ns: Option<i64>,
    pub history: u64,
    /// Values that are shown at another time than theirs: that of their row.
    pub moved: u64,
    /// By series: values for which their row had no room.
    pub too_long: BTreeMap<u32, u64>,
    /// Scratch.
    payload: Vec<u8>,
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
            payload: Vec::new(),
        }
    }

    /// A record: its number, and its message under the number of its type.
    pub fn record(&mut self, log: &mut LogWriter, number: u32, message: &[u8]) {
        self.records += 1;
        self.payload.clear();
        varint_field(&mut self.payload, 1, self.records);
        bytes_header(&mut self.payload, number, message.len());
        self.payload.extend_from_slice(message);
        log.record(&self.payload);
    }

    /// Behind the last step, for a row that has none.
    fn step_of(&mut self, own: Option<i64>) -> i64 {
        let next = self.last_step.map_or(0, |last| last.saturating_add(1));
        let step = own.unwrap_or(next);
        self.last_step = Some(self.last_step.map_or(step, |last| last.max(step)));
        step
    }

    /// With the last statistics, for those that have no time: `wandb sync` ends where there is none.
    fn taken_ns(&mut self, own: Option<i64>) -> i64 {
        let known = own.or(self.last_taken_ns).or(self.started_ns);
        let time_ns = known.unwrap_or_default();
        self.last_taken_ns = Some(time_ns);
        time_ns
    }
}

/// A row that gets values.
pub struct OpenRow {
    stream: Stream,
    group: Option<Group>,
    step_frac: Option<i32>,
    has_runtime: bool,
    items: Vec<u8>,
    sources: Vec<Source>,
    own: OwnBuilder,
    /// By series: the last row in which it had a value.
    last_row: Vec<u64>,
    row: u64,
}

impl OpenRow {
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            group: None,
            step_frac: None,
            has_runtime: false,
            items: Vec::new(),
            sources: Vec::new(),
            own: OwnBuilder::default(),
            last_row: Vec::new(),
            row: 0,
        }
    }

    /// Whether it is over where this value comes: another step, or no steps and another source row.
    pub fn is_before(&self, value: &Waiting<'_>) -> bool {
        let Some(group) = self.group else {
            return false;
        };
        let is_alone = group.0 || self.stream == Stream::System;
        let last = self.sources.last().map(|source| source.seq);
        group != value.row.group
            || self.step_frac != value.row.at.step_frac
            || (is_alone && last != Some(value.row.at.seq))
    }

    /// Whether it has a value of this series already.
    pub fn holds(&self, value: &Waiting<'_>) -> bool {
        self.group.is_some() && self.last_row.get(value.series as usize) == Some(&self.row)
    }

    /// Whether a reader will take the record with this value, too.
    pub fn has_room(&self, value: &Waiting<'_>) -> bool {
        let held = self.items.len() + self.own.len();
        held == 0 || held + value.item.len() + value.exact.len() <= MOST_VALUES
    }

    /// Whether W&B's server would not take the row with this value.
    pub fn is_beyond(&self, value: &Waiting<'_>, longest: Option<usize>) -> bool {
        longest.is_some_and(|longest| self.items.len() + value.item.len() > longest)
    }

    pub fn add(&mut self, value: &Waiting<'_>) {
        if self.group.is_none() {
            self.group = Some(value.row.group);
            self.step_frac = value.row.at.step_frac;
            self.row += 1;
        }
        let series = value.series as usize;
        if self.last_row.len() <= series {
            self.last_row.resize(series + 1, 0);
        }
        self.last_row[series] = self.row;
        self.has_runtime |= value.place.is_runtime;
        self.items.extend_from_slice(value.item);
        self.own.item(value.code, value.exact);
        match self.sources.last_mut() {
            Some(source) if is_same(source, value) => source.items += 1,
            _ => self.sources.push(Source {
                seq: value.row.at.seq,
                step: value.row.at.step,
                step_frac: value.row.at.step_frac,
                time_ns: value.row.time_ns,
                items: 1,
            }),
        }
    }

    /// Writes the record, if there is one.
    pub fn close(&mut self, numbers: &mut Numbers, log: &mut LogWriter, message: &mut Vec<u8>) {
        if self.group.take().is_none() {
            return;
        }
        message.clear();
        match self.stream {
            Stream::User => {
                self.put_history(numbers, message);
                numbers.history += 1;
                numbers.record(log, HISTORY, message);
            }
            Stream::System => {
                self.put_statistics(numbers, message);
                numbers.record(log, STATS, message);
            }
        }
        self.items.clear();
        self.sources.clear();
        self.own.clear();
        self.has_runtime = false;
    }

    fn put_history(&mut self, numbers: &mut Numbers, message: &mut Vec<u8>) {
        let step = numbers.step_of(self.sources.first().and_then(|source| source.step));
        let time_ns = self
            .sources
            .iter()
            .filter_map(|source| source.time_ns)
            .max();
        let moved = self
            .sources
            .iter()
            .filter(|source| source.time_ns != time_ns);
        numbers.moved += moved.map(|source| source.items as u64).sum::<u64>();
        let mut text = Vec::new();
        put_integer(&mut text, step);
        put_item(&mut self.items, 1, STEP_KEY, &text);
        let mut shown = 1;
        let mut shown_ns = None;
        if let Some(time_ns) = time_ns {
            text.clear();
            put_float(&mut text, shown_seconds(time_ns));
            shown_ns = time_of(ItemValue::Json(&text));
            if shown_ns.is_none() {
                // near 1970 doubles are so fine that a sum of them is no nanosecond
                text.clear();
                put_float(&mut text, ns_to_seconds(time_ns));
                shown_ns = time_of(ItemValue::Json(&text));
            }
            put_item(&mut self.items, 1, TIMESTAMP_KEY, &text);
            shown += 1;
        }
        if let (Some(time_ns), Some(started_ns), false) =
            (time_ns, numbers.started_ns, self.has_runtime)
        {
            text.clear();
            put_float(&mut text, seconds(time_ns.saturating_sub(started_ns)));
            put_item(&mut self.items, 1, RUNTIME_KEY, &text);
            shown += 1;
        }
        let sources = &self.sources;
        self.own.put(message, sources, Some(step), shown_ns, shown);
        message.extend_from_slice(&self.items);
        let mut number = Vec::new();
        varint_field(&mut number, 1, step as u64);
        bytes_header(message, 2, number.len());
        message.extend_from_slice(&number);
    }

    fn put_statistics(&mut self, numbers: &mut Numbers, message: &mut Vec<u8>) {
        let time_ns = numbers.taken_ns(self.sources.first().and_then(|source| source.time_ns));
        self.own.put(message, &self.sources, None, Some(time_ns), 0);
        timestamp(message, 2, time_ns);
        message.extend_from_slice(&self.items);
    }
}

fn is_same(source: &Source, value: &Waiting<'_>) -> bool {
    source.seq == value.row.at.seq
        && source.time_ns == value.row.time_ns
        && source.step == value.row.at.step
}

/// The double nearest to so many nanoseconds, nearly always.
fn seconds(ns: i64) -> f64 {
    let whole = ns.div_euclid(NS) as f64;
    whole + ns.rem_euclid(NS) as f64 / NS as f64
}

/// The same, but of the same microsecond where doubles are that fine: who cuts it gets no other.
fn shown_seconds(ns: i64) -> f64 {
    let nearest = seconds(ns);
    let micros = |seconds: f64| {
        let whole = seconds.floor();
        whole as i64 * 1_000_000 + ((seconds - whole) * 1e6) as i64
    };
    let meant = ns.div_euclid(1000);
    let candidates = [nearest, nearest.next_up(), nearest.next_down()];
    let same = candidates.into_iter().find(|one| micros(*one) == meant);
    same.unwrap_or(nearest)
}
