//! Owns how histograms are shown: as buckets, or as the message that one came as.

use arrow_array::{Array, RecordBatch, StringArray};

use super::spelling::{bucket_tensor, histogram_message};
use super::{Error, EventEncoder, TableRows};
use crate::tables::{Lists, Words, strings};
use crate::tensorboard::histogram::message_of;
use crate::tensorboard::own_field::OwnHistogramLists;
use crate::tensorboard::plugin::Shown;
use crate::tensorboard::rows::COUNTS_KINDS;

/// Rows of `tables.HISTOGRAMS`.
pub struct HistogramRows {
    table: TableRows,
    edges: Lists,
    counts: Lists,
    counts_kind: Words,
    extra: StringArray,
}

impl HistogramRows {
    pub fn new(batch: &RecordBatch) -> Result<Self, Error> {
        Ok(Self {
            table: TableRows::new(batch)?,
            edges: Lists::new(batch, "edges")?,
            counts: Lists::new(batch, "counts")?,
            counts_kind: Words::new(batch, "counts_kind", &COUNTS_KINDS)?,
            extra: strings(batch, "extra")?,
        })
    }
}

impl EventEncoder {
    /// Rows until `enough` bytes wait; false when all are through.
    pub fn histograms(&mut self, rows: &mut HistogramRows, enough: usize) -> Result<bool, Error> {
        let mut shown = Vec::new();
        let HistogramRows {
            table,
            edges,
            counts,
            counts_kind,
            extra,
        } = rows;
        self.rows(table, enough, Shown::Histograms, |row, mut target| {
            shown.clear();
            let lists = (edges.at(row), counts.at(row));
            let extra = extra.is_valid(row).then(|| extra.value(row));
            let is_said = put_histogram(&mut shown, lists, extra);
            target.show(&shown);
            let lists = (!is_said).then_some(lists);
            target.own.histogram(counts_kind.at(row), extra, lists);
        })
    }
}

/// Spells what is shown; whether a reader has edges and counts back from it.
fn put_histogram(shown: &mut Vec<u8>, lists: OwnHistogramLists<'_>, extra: Option<&str>) -> bool {
    let (Some(edges), Some(counts)) = lists else {
        bucket_tensor(shown, &[], &[]);
        return false;
    };
    if let Some(statistics) = extra.and_then(|extra| message_of(edges, extra)) {
        histogram_message(shown, &statistics, &edges[1..], counts);
        return true;
    }
    bucket_tensor(shown, edges, counts);
    let has_buckets = !counts.is_empty() && edges.len() == counts.len() + 1;
    has_buckets || (edges.is_empty() && counts.is_empty())
}
