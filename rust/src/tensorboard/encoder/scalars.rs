//! Owns how scalars are shown, and what is said of those that this changes.

use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, PrimitiveArray, RecordBatch};

use super::spelling::{double_tensor, simple_value};
use super::{Error, EventEncoder, TableRows, Target};
use crate::columns::KINDS;
use crate::json::whole;
use crate::tables::{Words, primitive};
use crate::tensorboard::own_field::Kind;
use crate::tensorboard::plugin::Shown;

/// Rows of `tables.POINTS`.
pub struct PointRows {
    table: TableRows,
    scalars: Scalars,
}

struct Scalars {
    value: PrimitiveArray<Float64Type>,
    value_i64: PrimitiveArray<Int64Type>,
    kind: Words,
}

impl PointRows {
    pub fn new(batch: &RecordBatch) -> Result<Self, Error> {
        Ok(Self {
            table: TableRows::new(batch)?,
            scalars: Scalars {
                value: primitive(batch, "value")?,
                value_i64: primitive(batch, "value_i64")?,
                kind: Words::new(batch, "kind", &KINDS)?,
            },
        })
    }
}

impl EventEncoder {
    /// Rows until `enough` bytes wait; false when all are through.
    ///
    /// All are spelled as floats of 32 bits, since TensorBoard's data server shows no others; or, if
    /// `doubles` are asked for, as doubles where the former round.
    pub fn points(&mut self, rows: &mut PointRows, enough: usize) -> Result<bool, Error> {
        let (scalars, doubles) = (&rows.scalars, self.doubles);
        self.rows(&mut rows.table, enough, Shown::Scalars, |row, target| {
            scalars.put(row, doubles, target);
        })
    }
}

impl Scalars {
    fn put(&self, row: usize, doubles: bool, mut target: Target<'_>) {
        let is_null = self.value.is_null(row);
        let value = if is_null {
            f64::NAN
        } else {
            self.value.value(row)
        };
        let is_exact = is_float32(value);
        let as_double = doubles && !is_exact;
        if as_double {
            target.show(&double_tensor(value));
        } else {
            target.show(&simple_value(value as f32));
        }
        let own = target.own;
        match KINDS[usize::from(self.kind.at(row))] {
            _ if is_null => own.value(Kind::Null),
            "float32" if is_exact => own.value(Kind::AsSpelled),
            "float32" => own.wide_float32(value),
            "int" if self.value_i64.is_valid(row) => own.exact_int(self.value_i64.value(row)),
            "int" => match whole(value) {
                None => own.wide_int(value),
                Some(integer) if !is_exact && !as_double => own.exact_int(integer),
                Some(_) => own.value(Kind::Int),
            },
            "bool" => own.value(Kind::Bool),
            "null" => own.value(Kind::Null),
            _ if as_double => own.value(Kind::AsSpelled),
            _ if is_exact => own.value(Kind::Float64),
            _ => own.exact_float64(value),
        }
    }
}

/// Whether a float of 32 bits gives back these very 64.
fn is_float32(value: f64) -> bool {
    f64::from(value as f32).to_bits() == value.to_bits()
}
