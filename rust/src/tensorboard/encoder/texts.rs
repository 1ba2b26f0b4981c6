//! Owns how texts are shown.

use arrow_array::{Array, RecordBatch, StringArray};

use super::spelling::string_tensor;
use super::{Error, EventEncoder, TableRows};
use crate::tables::{Words, strings};
use crate::tensorboard::nested::lists_of;
use crate::tensorboard::own_field::Kind;
use crate::tensorboard::plugin::Shown;
use crate::tensorboard::rows::TEXT_FORMS;

/// Rows of `tables.TEXTS`.
pub struct TextRows {
    table: TableRows,
    text: StringArray,
    form: Words,
}

impl TextRows {
    pub fn new(batch: &RecordBatch) -> Result<Self, Error> {
        Ok(Self {
            table: TableRows::new(batch)?,
            text: strings(batch, "text")?,
            form: Words::new(batch, "form", &TEXT_FORMS)?,
        })
    }
}

impl EventEncoder {
    /// Rows until `enough` bytes wait; false when all are through.
    pub fn texts(&mut self, rows: &mut TextRows, enough: usize) -> Result<bool, Error> {
        let mut tensor = Vec::new();
        let (texts, forms) = (&rows.text, &rows.form);
        self.rows(&mut rows.table, enough, Shown::Text, |row, mut target| {
            tensor.clear();
            let text = texts.is_valid(row).then(|| texts.value(row));
            let form = TEXT_FORMS[usize::from(forms.at(row))];
            let kind = match (text, form) {
                (None, _) => Kind::Null,
                (_, "text") => Kind::AsSpelled,
                (Some(json), _) => match lists_of(json) {
                    Some((strings, shape)) => {
                        string_tensor(&mut tensor, &strings, &shape);
                        Kind::AsSpelled
                    }
                    None => Kind::Json,
                },
            };
            if tensor.is_empty() {
                let is_plain = form == "text" && text.is_some();
                let shape = if is_plain {
                    &target.spelled.shape[..]
                } else {
                    &[]
                };
                string_tensor(&mut tensor, &[text.unwrap_or_default()], shape);
            }
            target.show(&tensor);
            target.own.value(kind);
        })
    }
}
