//! Owns rows that wait for company: those of each table in order, and which comes next.

use std::collections::HashMap;

use arrow_array::RecordBatch;

use super::items::{Cells, SeriesPlace};
use super::put_item;
use super::runs::{Entry, Run};
use crate::leveldb::LONGEST_RECORD;
use crate::tables::{AddressColumns, Error, RowAddress};
use crate::wandb::sink::Stream;

/// The tables whose rows have steps, in the order in which a window has them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    Points,
    Texts,
    Histograms,
    Media,
}

/// Bytes of room that are kept for the next batch.
const MOST_ROOM: usize = 16 << 20;
/// Bytes of one value: a row of it alone is a record that is read back.
const LONGEST_VALUE: usize = LONGEST_RECORD - (1 << 20);

/// What values must share to be shown in one row: first that they have no step, then step and
/// millionths, or the time.
pub type Group = (bool, i64, i64);

/// Where a source row stands in the order of all tables: its group, and its number.
pub type Rank = (Group, i64);

/// What the values of a source row share.
pub struct SourceRow {
    pub group: Group,
    pub at: RowAddress,
    pub time_ns: Option<i64>,
}

impl SourceRow {
    fn rank(&self) -> Rank {
        (self.group, self.at.seq)
    }
}

#[derive(Default)]
struct Lane {
    entries: Vec<Entry>,
    next: usize,
    /// Source rows, which neighbours share.
    rows: Vec<SourceRow>,
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
    /// Up to where no more rows can come once a batch does, where there is such a place.
    ///
    /// A table that comes again, or comes before the last one, shows that the others have given all
    /// they had up to its first row. The last source row that waits may go on.
    pub fn bound(&self, table: Table, batch: &RecordBatch) -> Result<Option<Rank>, Error> {
        let addresses = AddressColumns::new(batch)?;
        let is_new_window = self.last.is_some_and(|last| table <= last);
        if !is_new_window || addresses.rows() == 0 {
            return Ok(None);
        }
        let at = addresses.at(0);
        let first = (group_of(&at), at.seq);
        Ok(Some(
            self.latest().map_or(first, |latest| latest.min(first)),
        ))
    }

    /// Takes a batch in.
    pub fn take(
        &mut self,
        table: Table,
        batch: &RecordBatch,
        by_key: &HashMap<String, u32>,
        series: &[SeriesPlace],
    ) -> Result<(), Error> {
        let cells = match table {
            Table::Points => Cells::points(batch)?,
            Table::Texts => Cells::texts(batch)?,
            Table::Histograms | Table::Media => Cells::given(batch)?,
        };
        let addresses = AddressColumns::new(batch)?;
        let numbers = numbers_of(&addresses, by_key)?;
        let mut scratch = std::mem::take(&mut self.json);
        let lane = &mut self.lanes[table as usize];
        lane.entries.reserve(addresses.rows());
        for row in 0..addresses.rows() {
            let number = numbers[addresses.place(row)];
            lane.push(
                &addresses,
                row,
                number,
                &series[number as usize],
                &cells,
                &mut scratch,
            )?;
        }
        self.json = scratch;
        self.last = Some(table);
        Ok(())
    }

    /// The last source row of all that wait.
    fn latest(&self) -> Option<Rank> {
        let ends = self
            .lanes
            .iter()
            .filter_map(|lane| lane.entries.last().map(|_| lane.rows.last()));
        ends.flatten().map(SourceRow::rank).max()
    }

    /// The next values before `bound`.
    pub fn next<'a>(
        &'a mut self,
        bound: Option<Rank>,
        series: &'a [SeriesPlace],
    ) -> Option<Run<'a>> {
        let heads = self.lanes.iter().enumerate();
        let (place, _) = heads
            .filter_map(|(place, lane)| Some((place, lane.head()?)))
            .min_by_key(|(_, row)| row.rank())
            .filter(|(_, row)| bound.is_none_or(|bound| row.rank() < bound))?;
        let lane = &mut self.lanes[place];
        let rest = &lane.entries[lane.next..];
        let row = rest[0].row;
        let stream = series[rest[0].series as usize].stream;
        let is_of_it =
            |entry: &&Entry| entry.row == row && series[entry.series as usize].stream == stream;
        let count = rest.iter().take_while(is_of_it).count();
        lane.next += count;
        Some(Run {
            row: &lane.rows[row as usize],
            stream,
            entries: &rest[..count],
            bytes: &lane.bytes,
            series,
        })
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
    fn head(&self) -> Option<&SourceRow> {
        let entry = self.entries.get(self.next)?;
        Some(&self.rows[entry.row as usize])
    }

    #[inline]
    fn push(
        &mut self,
        addresses: &AddressColumns,
        row: usize,
        number: u32,
        place: &SeriesPlace,
        cells: &Cells,
        json: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let at = addresses.at(row);
        if self.rows.last().is_none_or(|last| last.at != at) {
            let (group, time_ns) = (group_of(&at), at.time_ns()?);
            self.rows.push(SourceRow { group, at, time_ns });
        }
        json.clear();
        let spelled = cells.spell(row, json);
        let start = self.bytes.len();
        let field = if place.stream == Stream::User { 1 } else { 3 };
        put_item(&mut self.bytes, field, &place.key, json);
        let item = self.bytes.len() - start;
        spelled.put_exact(&mut self.bytes);
        let size = self.bytes.len() - start;
        if size > LONGEST_VALUE {
            return Err(Error::ValueTooLong(size));
        }
        self.entries.push(Entry {
            start,
            item: item as u32, // of one cell, which is shorter
            exact: (self.bytes.len() - start - item) as u32,
            row: (self.rows.len() - 1) as u32,
            series: number,
            code: spelled.code,
        });
        Ok(())
    }

    fn settle(&mut self) {
        let kept = self.entries.get(self.next);
        let Some((start, row)) = kept.map(|entry| (entry.start, entry.row)) else {
            *self = Self {
                entries: cleared(&mut self.entries),
                next: 0,
                rows: cleared(&mut self.rows),
                bytes: cleared(&mut self.bytes),
            };
            return;
        };
        self.entries.drain(..self.next);
        self.next = 0;
        self.rows.drain(..row as usize);
        self.bytes.drain(..start);
        for entry in &mut self.entries {
            entry.start -= start;
            entry.row -= row;
        }
    }
}

/// The same vector without what is in it; its room is kept, unless it is very large.
fn cleared<T>(vector: &mut Vec<T>) -> Vec<T> {
    let mut taken = std::mem::take(vector);
    taken.clear();
    taken.shrink_to(MOST_ROOM / size_of::<T>());
    taken
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
