//! Owns rows of histograms.

use arrow_array::{Int32Array, RecordBatch};
use arrow_schema::ArrowError;

use super::{Lists, MaybeTexts};
use crate::columns::{Addresses, At, batch, required, words};
use crate::tensorboard::own_field::OwnHistogram;

/// The words for what counts are.
pub const COUNTS_KINDS: [&str; 2] = ["int", "float64"];

/// Rows of histograms.
pub struct HistogramRows {
    series: Vec<i32>,
    at: Addresses,
    pub edges: Lists,
    pub counts: Lists,
    kinds: Vec<i8>,
    extra: MaybeTexts,
}

impl Default for HistogramRows {
    fn default() -> Self {
        Self {
            series: Vec::new(),
            at: Addresses::with_fractions(),
            edges: Lists::default(),
            counts: Lists::default(),
            kinds: Vec::new(),
            extra: MaybeTexts::default(),
        }
    }
}

impl HistogramRows {
    pub fn rows(&self) -> usize {
        self.series.len()
    }

    /// Ends a row whose edges and counts have been pushed.
    pub fn push(&mut self, series: i32, at: &At, extra: Option<&str>) -> Result<(), ArrowError> {
        self.edges.end_row()?;
        self.counts.end_row()?;
        self.push_rest(series, at, 1, extra);
        Ok(())
    }

    /// The same of a histogram of which our writer has said more.
    pub fn push_as(
        &mut self,
        series: i32,
        at: &At,
        said: &OwnHistogram<'_>,
    ) -> Result<(), ArrowError> {
        match &said.lists {
            Some([edges, counts]) => {
                self.edges.end_row_as(edges.as_deref())?;
                self.counts.end_row_as(counts.as_deref())?;
            }
            None => {
                self.edges.end_row()?;
                self.counts.end_row()?;
            }
        }
        let extra = said.extra.map(String::from_utf8_lossy);
        self.push_rest(
            series,
            at,
            i8::from(said.has_float_counts),
            extra.as_deref(),
        );
        Ok(())
    }

    fn push_rest(&mut self, series: i32, at: &At, kind: i8, extra: Option<&str>) {
        self.series.push(series);
        self.at.extend(at, 1);
        self.kinds.push(kind);
        self.extra.push(extra);
    }

    /// Columns series, step, step_frac, time, time_ns, seq, edges, counts, counts_kind, extra.
    pub fn finish(self) -> Result<RecordBatch, ArrowError> {
        let mut columns = vec![required("series", Int32Array::from(self.series))];
        columns.extend(self.at.finish());
        columns.push(self.edges.finish("edges")?);
        columns.push(self.counts.finish("counts")?);
        columns.push(words("counts_kind", self.kinds, &COUNTS_KINDS)?);
        columns.push(self.extra.finish("extra")?);
        batch(columns)
    }
}
