//! Owns rows of W&B while they get their values, and what they become: records.

use super::lanes::{Group, SourceRow};
use super::numbers::Numbers;
use super::put_item;
use super::runs::{Run, Waiting};
use crate::json::{put_float, put_integer};
use crate::leveldb::LONGEST_RECORD;
use crate::leveldb::writing::LogWriter;
use crate::protobuf::writing::{bytes, timestamp, varint_field};
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
    /// Scratch: what stands before the items, and behind them, and a number.
    before: Vec<u8>,
    behind: Vec<u8>,
    text: Vec<u8>,
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
            before: Vec::new(),
            behind: Vec::new(),
            text: Vec::new(),
        }
    }

    /// Whether it is over where this value comes: another step, or no steps and another source row.
    pub fn is_before(&self, value: &Run<'_>) -> bool {
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

    /// Takes the first values of a run, as many as surely can stand in this row.
    ///
    /// All of a source row, nearly always; the others have to be looked at one by one.
    pub fn add_together(&mut self, run: &mut Run<'_>, longest: Option<usize>) {
        let Some(items) = run.items() else {
            return;
        };
        let size = self.items.len() + items.len();
        if size + self.own.len() + run.len() > MOST_VALUES.min(longest.unwrap_or(MOST_VALUES)) {
            return;
        }
        self.open(run.row);
        let (mut count, mut is_whole) = (0, true);
        for (series, code, is_runtime) in run.values() {
            if self.last_row.get(series) == Some(&self.row) {
                is_whole = false; // a second value of one series: the row ends before it
                break;
            }
            self.mark(series);
            self.has_runtime |= is_runtime;
            self.own.item(code, &[]);
            count += 1;
        }
        let size = if is_whole {
            items.len()
        } else {
            run.size_of(count)
        };
        self.items.extend_from_slice(&items[..size]);
        self.count(run.row, count);
        run.skip(count);
    }

    pub fn add(&mut self, value: &Waiting<'_>) {
        self.open(value.row);
        self.mark(value.series as usize);
        self.has_runtime |= value.place.is_runtime;
        self.items.extend_from_slice(value.item);
        self.own.item(value.code, value.exact);
        self.count(value.row, 1);
    }

    fn open(&mut self, row: &SourceRow) {
        if self.group.is_none() {
            self.group = Some(row.group);
            self.step_frac = row.at.step_frac;
            self.row += 1;
        }
    }

    fn mark(&mut self, series: usize) {
        if self.last_row.len() <= series {
            self.last_row.resize(series + 1, 0);
        }
        self.last_row[series] = self.row;
    }

    /// So many values of a source row more.
    fn count(&mut self, row: &SourceRow, items: usize) {
        match self.sources.last_mut() {
            Some(source) if is_same(source, row) => source.items += items,
            _ if items > 0 => self.sources.push(Source {
                seq: row.at.seq,
                step: row.at.step,
                step_frac: row.at.step_frac,
                time_ns: row.time_ns,
                items,
            }),
            _ => {}
        }
    }

    /// Writes the record, if there is one.
    pub fn close(&mut self, numbers: &mut Numbers, log: &mut LogWriter) {
        if self.group.take().is_none() {
            return;
        }
        self.before.clear();
        self.behind.clear();
        let kind = match self.stream {
            Stream::User => {
                self.put_history(numbers);
                numbers.history += 1;
                HISTORY
            }
            Stream::System => {
                self.put_statistics(numbers);
                STATS
            }
        };
        numbers.record(log, kind, &[&self.before, &self.items, &self.behind]);
        self.items.clear();
        self.sources.clear();
        self.own.clear();
        self.has_runtime = false;
    }

    fn put_history(&mut self, numbers: &mut Numbers) {
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
        let mut text = std::mem::take(&mut self.text);
        text.clear();
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
        self.own
            .put(&mut self.before, sources, Some(step), shown_ns, shown);
        text.clear();
        varint_field(&mut text, 1, step as u64);
        bytes(&mut self.behind, 2, &text);
        self.text = text;
    }

    fn put_statistics(&mut self, numbers: &mut Numbers) {
        let own_ns = self.sources.first().and_then(|source| source.time_ns);
        let time_ns = numbers.taken_ns(own_ns);
        self.own
            .put(&mut self.before, &self.sources, None, Some(time_ns), 0);
        timestamp(&mut self.before, 2, time_ns);
    }
}

fn is_same(source: &Source, row: &SourceRow) -> bool {
    source.seq == row.at.seq && source.time_ns == row.time_ns && source.step == row.at.step
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
