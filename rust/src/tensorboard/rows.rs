//! Owns the builders of what event files hold besides scalars, and the columns that only they have.

mod histograms;
mod media;
mod texts;

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, ListArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{ArrowError, DataType, Field};

use crate::columns::{Texts, column, validity};

pub use histograms::{COUNTS_KINDS, HistogramRows};
pub use media::{Item, MediaForm, MediaRows};
pub use texts::{TEXT_FORMS, TextRows};

/// Texts that are missing in places.
#[derive(Default)]
struct MaybeTexts {
    texts: Texts,
    rows: usize,
    nulls: Vec<usize>,
}

impl MaybeTexts {
    fn push(&mut self, text: Option<&str>) {
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
