//! Owns rows that wait for company: those of each table in order, and which comes next.

use std::collections::HashMap;

use arrow_array::RecordBatch;

use super::items::{Cells, SeriesPlace};
use super::put_item;
use crate::tables::{AddressColumns, Error, RowAddress};
use crate::wandb::own::Code;
use crate::wandb::sink::Stream;

/// The tables whose rows have steps, in the order in which a window has them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    Points,
    Texts,
    Histograms,
    Media,
}

/// What values must share to be shown in one row: first that they have no step, then step and
/// millionths, or the time.
pub type Group = (bool, i64, i64);

/// One value on its way.
pub struct Entry {
    pub group: Group,
    pub at: RowAddress,
    pub time_ns: Option<i64>,
    pub series: u32,
    pub stream: Stream,
    pub is_runtime: bool,
    pub code: Code,
    pub double: f64,
    item: (usize, usize),
    exact: (usize, usize),
}

#[derive(Default)]
struct Lane {
    entries: Vec<Entry>,
    next: usize,
    /// What is spelled of the entries.
    bytes: Vec<u8>,
}

/// The rows of all tables that wait.
#[derive(Default)]
pub struct Lanes {
    lanes: [Lane; 4],
    last: Option<Table>,
    json: Vec<u8>,
}

impl Lanes {
    /// Takes a batch in. Returns up to where no more rows can come, where there is such a place.
    ///
    /// A table that comes again, or comes before the last one, shows that the others have given all
    /// they had up to its first row. The last group that waits may go on.
    pub fn take(
        &mut self,
        table: Table,
        batch: &RecordBatch,
        by_key: &HashMap<String, u32>,
        series: &[SeriesPlace],
    ) -> Result<Option<Group>, Error> {
        let cells = match table {
            Table::Points => Cells::points(batch)?,
            Table::Texts => Cells::texts(batch)?,
            Table::Histograms | Table::Media => Cells::given(batch)?,
        };
        let addresses = AddressColumns::new(batch)?;
        let numbers = numbers_of(&addresses, by_key)?;
        let is_new_window = self.last.is_some_and(|last| table <= last);
        let latest = self.latest();
        let (mut first, mut scratch) = (None, std::mem::take(&mut self.json));
        let lane = &mut self.lanes[table as usize];
        lane.entries.reserve(addresses.rows());
        for row in 0..addresses.rows() {
            let number = numbers[addresses.place(row)];
            let entry = lane.push(
                &addresses,
                row,
                number,
                &series[number as usize],
                &cells,
                &mut scratch,
            )?;
            first = first.or(Some(entry));
        }
        self.json = scratch;
        self.last = Some(table);
        Ok(first
            .filter(|_| is_new_window)
            .map(|first| latest.map_or(first, |latest| latest.min(first))))
    }

    /// The last group of all that wait.
    fn latest(&self) -> Option<Group> {
        let ends = self.lanes.iter().filter_map(|lane| lane.entries.last());
        ends.map(|entry| entry.group).max()
    }

    /// The next value before `bound`, its item, and what it is exactly.
    pub fn next(&mut self, bound: Option<Group>) -> Option<(&Entry, &[u8], &[u8])> {
        let heads = self.lanes.iter().enumerate();
        let (place, _) = heads
            .filter_map(|(place, lane)| Some((place, lane.entries.get(lane.next)?)))
            .min_by_key(|(_, entry)| (entry.group, entry.at.seq))
            .filter(|(_, entry)| bound.is_none_or(|bound| entry.group < bound))?;
        let lane = &mut self.lanes[place];
        let entry = &lane.entries[lane.next];
        lane.next += 1;
        Some((
            entry,
            &lane.bytes[entry.item.0..entry.item.1],
            &lane.bytes[entry.exact.0..entry.exact.1],
        ))
    }

    /// Forgets what has been written.
    pub fn settle(&mut self) {
        for lane in &mut self.lanes {
            lane.settle();
        }
    }
}

impl Lane {
    #[inline]
    fn push(
        &mut self,
        addresses: &AddressColumns,
        row: usize,
        number: u32,
        place: &SeriesPlace,
        cells: &Cells,
        json: &mut Vec<u8>,
    ) -> Result<Group, Error> {
        let at = addresses.at(row);
        let time_ns = at.time_ns()?;
        json.clear();
        let spelled = cells.spell(row, json);
        let start = self.bytes.len();
        let field = if place.stream == Stream::User { 1 } else { 3 };
        put_item(&mut self.bytes, field, &place.key, json);
        let end = self.bytes.len();
        self.bytes.extend_from_slice(spelled.exact.as_bytes());
        let group = group_of(&at);
        self.entries.push(Entry {
            group,
            at,
            time_ns,
            series: number,
            stream: place.stream,
            is_runtime: place.is_runtime,
            code: spelled.code,
            double: spelled.double,
            item: (start, end),
            exact: (end, self.bytes.len()),
        });
        Ok(group)
    }

    fn settle(&mut self) {
        let kept_from = self.entries.get(self.next).map(|entry| entry.item.0);
        self.entries.drain(..self.next);
        self.next = 0;
        let Some(start) = kept_from else {
            self.bytes.clear();
            return;
        };
        self.bytes.drain(..start);
        for entry in &mut self.entries {
            for place in [&mut entry.item, &mut entry.exact] {
                *place = (place.0 - start, place.1 - start);
            }
        }
    }
}

fn group_of(at: &RowAddress) -> Group {
    match at.step {
        Some(step) => (false, step, at.step_frac.map_or(0, i64::from)),
        None => (
            true,
            at.time_us.unwrap_or(i64::MAX),
            at.time_ns.map_or(0, i64::from),
        ),
    }
}

/// The numbers of the series that a batch names.
fn numbers_of(
    addresses: &AddressColumns,
    by_key: &HashMap<String, u32>,
) -> Result<Vec<u32>, Error> {
    let names = (0..addresses.names()).map(|place| addresses.name(place));
    let numbers = names.map(|name| by_key.get(name).copied());
    let numbers = numbers.collect::<Option<Vec<_>>>();
    numbers.ok_or_else(|| Error::Column("key: a series that was not declared".to_owned()))
}
