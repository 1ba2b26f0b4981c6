//! Owns rows of texts.

use arrow_array::{Int32Array, RecordBatch};
use arrow_schema::ArrowError;

use super::MaybeTexts;
use crate::columns::{Addresses, At, batch, required, words};

/// The words for forms of text.
pub const TEXT_FORMS: [&str; 2] = ["text", "json"];

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
        columns.push(words("form", self.form, &TEXT_FORMS)?);
        batch(columns)
    }
}
