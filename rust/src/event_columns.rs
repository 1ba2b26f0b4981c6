//! Owns the builders of what event files hold besides scalars: texts, histograms, media.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int32Array, LargeBinaryArray, ListArray, RecordBatch};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{ArrowError, DataType, Field};

use crate::column_parts::{Addresses, At, Texts, batch, column, required, validity, words};
use crate::event_parts::OwnHistogram;

/// Texts that are missing in places.
#[derive(Default)]
pub struct MaybeTexts {
    texts: Texts,
    rows: usize,
    nulls: Vec<usize>,
}

impl MaybeTexts {
    pub fn push(&mut self, text: Option<&str>) {
        if text.is_none() {
            self.nulls.push(self.rows);
        }
        self.texts.push(text.unwrap_or(""));
        self.rows += 1;
    }

    fn finish(self, name: &str) -> Result<(Field, ArrayRef), ArrowError> {
        let nulls = validity(self.rows, self.nulls.iter().map(|row| (*row, 1)));
        Ok(column(name, self.texts.finish_with(nulls)?))
    }
}

/// Rows of texts.
pub struct TextRows {
    series: Vec<i32>,
    at: Addresses,
    text: MaybeTexts,
    form: Vec<i8>,
}

impl Default for TextRows {
    fn default() -> Self {
        Self {
            series: Vec::new(),
            at: Addresses::with_fractions(),
            text: MaybeTexts::default(),
            form: Vec::new(),
        }
    }
}

impl TextRows {
    pub fn rows(&self) -> usize {
        self.series.len()
    }

    pub fn push(&mut self, series: i32, at: &At, text: Option<&str>, is_json: bool) {
        self.series.push(series);
        self.at.extend(at, 1);
        self.text.push(text);
        self.form.push(i8::from(is_json));
    }

    /// Columns series, step, step_frac, time, time_ns, seq, text, form.
    pub fn finish(self) -> Result<RecordBatch, ArrowError> {
        let mut columns = vec![required("series", Int32Array::from(self.series))];
        columns.extend(self.at.finish());
        columns.push(self.text.finish("text")?);
        columns.push(words("form", self.form, &["text", "json"])?);
        batch(columns)
    }
}

/// Lists of doubles, one a row.
#[derive(Default)]
pub struct Lists {
    pub values: Vec<f64>,
    ends: Vec<i32>,
    nulls: Vec<usize>,
}

impl Lists {
    /// What was pushed to `values` since the last call is the list of one row.
    pub fn end_row(&mut self) -> Result<(), ArrowError> {
        let end = i32::try_from(self.values.len());
        let end = end.map_err(|_| ArrowError::OffsetOverflowError(self.values.len()))?;
        self.ends.push(end);
        Ok(())
    }

    /// This is the list of one row, whatever was pushed.
    fn end_row_as(&mut self, list: Option<&[f64]>) -> Result<(), ArrowError> {
        self.roll_back();
        match list {
            Some(list) => self.values.extend_from_slice(list),
            None => self.nulls.push(self.ends.len()),
        }
        self.end_row()
    }

    /// Takes back what was pushed since the last row's end.
    pub fn roll_back(&mut self) {
        self.values
            .truncate(self.ends.last().map_or(0, |end| *end as usize));
    }

    fn finish(self, name: &str) -> Result<(Field, ArrayRef), ArrowError> {
        let nulls = validity(self.ends.len(), self.nulls.iter().map(|row| (*row, 1)));
        let offsets: Vec<i32> = std::iter::once(0).chain(self.ends).collect();
        let item = Arc::new(Field::new_list_field(DataType::Float64, true));
        let values = Arc::new(Float64Array::from(self.values));
        let lists = ListArray::try_new(item, OffsetBuffer::new(offsets.into()), values, nulls)?;
        Ok(column(name, lists))
    }
}

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
        columns.push(words("counts_kind", self.kinds, &["int", "float64"])?);
        columns.push(self.extra.finish("extra")?);
        batch(columns)
    }
}

/// What a row of media is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum MediaForm {
    Image,
    Audio,
    PrCurve,
    Mesh,
    GraphDef,
    MetaGraphDef,
    TaggedRunMetadata,
    GraphRunMetadata,
    GraphRunMetadataGraph,
    GraphKerasModel,
}

/// The words for forms.
pub const MEDIA_FORMS: [&str; 10] = [
    "image",
    "audio",
    "pr_curve",
    "mesh",
    "graph_def",
    "meta_graph_def",
    "tagged_run_metadata",
    "graph_run_metadata",
    "graph_run_metadata_graph",
    "graph_keras_model",
];

/// An item: one image, clip or blob.
pub struct Item<'a> {
    pub index: i32,
    pub form: MediaForm,
    pub content: &'a [u8],
    pub caption: Option<&'a str>,
    /// As JSON.
    pub metadata: Option<&'a str>,
}

/// Rows of media.
pub struct MediaRows {
    series: Vec<i32>,
    at: Addresses,
    index: Vec<i32>,
    form: Vec<i8>,
    content: Vec<u8>,
    ends: Vec<i64>,
    caption: MaybeTexts,
    metadata: MaybeTexts,
}

impl Default for MediaRows {
    fn default() -> Self {
        Self {
            series: Vec::new(),
            at: Addresses::with_fractions(),
            index: Vec::new(),
            form: Vec::new(),
            content: Vec::new(),
            ends: Vec::new(),
            caption: MaybeTexts::default(),
            metadata: MaybeTexts::default(),
        }
    }
}

impl MediaRows {
    pub fn rows(&self) -> usize {
        self.series.len()
    }

    pub fn push(&mut self, series: i32, at: &At, item: &Item<'_>) {
        self.series.push(series);
        self.at.extend(at, 1);
        self.index.push(item.index);
        self.form.push(item.form as i8);
        self.content.extend_from_slice(item.content);
        self.ends.push(self.content.len() as i64);
        self.caption.push(item.caption);
        self.metadata.push(item.metadata);
    }

    /// Columns series, step, step_frac, time, time_ns, seq, index, form, content, caption, metadata.
    pub fn finish(self) -> Result<RecordBatch, ArrowError> {
        let offsets: Vec<i64> = std::iter::once(0).chain(self.ends).collect();
        let content = LargeBinaryArray::try_new(
            OffsetBuffer::new(offsets.into()),
            self.content.into(),
            None,
        )?;
        let mut columns = vec![required("series", Int32Array::from(self.series))];
        columns.extend(self.at.finish());
        columns.push(required("index", Int32Array::from(self.index)));
        columns.push(words("form", self.form, &MEDIA_FORMS)?);
        columns.push(required("content", content));
        columns.push(self.caption.finish("caption")?);
        columns.push(self.metadata.finish("metadata")?);
        batch(columns)
    }
}
