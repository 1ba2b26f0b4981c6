//! Owns rows of scalars: the way of nearly every value, and what field 1517 says of the others.

use super::{Decoder, Event};
use crate::damage::Reason;
use crate::tensorboard::dtype::Number;
use crate::tensorboard::own_field::Kind;

impl Event<'_> {
    /// What field 1517 says that the value at this place is; None if it is something unheard of.
    #[inline]
    pub(super) fn kind(&self, place: usize) -> Option<Kind> {
        match self.own {
            Some(own) => own.kind(place),
            None => Some(Kind::AsSpelled),
        }
    }

    fn next_int(&mut self) -> Option<i64> {
        let next = self.used.ints;
        self.used.ints += 1;
        self.own?.exact_ints.get(next).copied()
    }

    fn next_double(&mut self) -> Option<f64> {
        let next = self.used.doubles;
        self.used.doubles += 1;
        let bytes = self.own?.exact_doubles.get(next)?;
        Some(f64::from_le_bytes(*bytes))
    }
}

impl Decoder {
    #[inline]
    pub(super) fn push_number(
        &mut self,
        series: usize,
        number: Number,
        place: usize,
        event: &mut Event<'_>,
    ) {
        let series = self.series.number(series);
        let kind = event.kind(place);
        match (kind, number) {
            (Some(Kind::AsSpelled), Number::Float32(value)) => {
                self.points.push_float32(series, value)
            }
            (Some(Kind::AsSpelled), Number::Float64(value)) => {
                self.points.push_float(series, value)
            }
            _ => self.push_as(series, number, kind, event),
        }
        self.points.settle(&event.at);
        event.is_row = true;
    }

    /// A number as the kind that our writer says it had; as what it is, where that cannot be.
    #[inline(never)]
    fn push_as(&mut self, series: i32, number: Number, kind: Option<Kind>, event: &mut Event<'_>) {
        let value = number.as_f64();
        let is_whole = value == value.trunc() && (-2f64.powi(63)..2f64.powi(63)).contains(&value);
        let points = &mut self.points;
        match kind {
            Some(Kind::AsSpelled) => return self.push_plain(series, number, event),
            Some(Kind::Float64) => return points.push_float(series, value),
            Some(Kind::Float32) if value.is_nan() || f64::from(value as f32) == value => {
                return points.push_float32(series, value as f32);
            }
            Some(Kind::Int) if is_whole => return points.push_int(series, value as i64),
            Some(Kind::Bool) if value == 0.0 || value == 1.0 => {
                return points.push_bool(series, value == 1.0);
            }
            Some(Kind::Null) => return points.push_null(series),
            Some(Kind::ExactInt) => {
                if let Some(exact) = event.next_int() {
                    return points.push_int(series, exact);
                }
            }
            Some(Kind::ExactFloat64) => {
                if let Some(exact) = event.next_double() {
                    return points.push_float(series, exact);
                }
            }
            Some(Kind::WideFloat32) => {
                if let Some(exact) = event.next_double() {
                    return points.push_wide_float32(series, exact);
                }
            }
            Some(Kind::WideInt) => {
                if let Some(exact) = event.next_double() {
                    return points.push_wide_int(series, exact);
                }
            }
            _ => {}
        }
        self.report(event.offset, event.length, Reason::BadRecord);
        self.push_plain(series, number, event);
    }

    fn push_plain(&mut self, series: i32, number: Number, event: &Event<'_>) {
        match number {
            Number::Float32(value) => self.points.push_float32(series, value),
            Number::Float64(value) => self.points.push_float(series, value),
            Number::Int(value) => self.points.push_int(series, value),
            Number::Bool(value) => self.points.push_bool(series, value),
            Number::Uint64(value) => match i64::try_from(value) {
                Ok(value) => self.points.push_int(series, value),
                Err(_) => {
                    let json = value.to_string();
                    self.texts.push(series, &event.at, Some(&json), true);
                }
            },
        }
    }
}
