//! Owns rows of media.

use arrow_array::{Int32Array, LargeBinaryArray, RecordBatch};
use arrow_buffer::OffsetBuffer;
use arrow_schema::ArrowError;

use super::MaybeTexts;
use crate::columns::{Addresses, At, batch, required, words};

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
const MEDIA_FORMS: [&str; 10] = [
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
