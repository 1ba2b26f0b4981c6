//! Owns the way of a value: its series by tag and metadata, then the table that its plugin means.

use arrow_schema::ArrowError;

use super::{Decoder, Event};
use crate::damage::Reason;
use crate::protobuf::{Malformed, take_bytes_field};
use crate::tensorboard::dtype::{Dtype, Number};
use crate::tensorboard::event::EventParts;
use crate::tensorboard::metadata::with_node_name;
use crate::tensorboard::plugin::Role;
use crate::tensorboard::tensor::{Tensor, plain_number};
use crate::tensorboard::value::{Form, VALUE_KEY, ValueParts, values_of};

impl Decoder {
    #[inline]
    pub(super) fn take_values(
        &mut self,
        parts: &EventParts<'_>,
        event: &mut Event<'_>,
    ) -> Result<(), ArrowError> {
        let mut rest = parts.summary();
        if rest.is_empty() {
            return Ok(());
        }
        if let Some(only) = take_bytes_field(&mut rest, VALUE_KEY)
            && rest.is_empty()
        {
            return match ValueParts::of(only) {
                Ok(value) => self.take_value(&value, 0, event),
                Err(Malformed) => {
                    self.report(event.offset, event.length, Reason::BadRecord);
                    Ok(())
                }
            };
        }
        let before = self.rows();
        let Ok(values) = values_of(parts.summary()) else {
            self.report(event.offset, event.length, Reason::BadRecord);
            return Ok(());
        };
        for (place, value) in values.iter().enumerate() {
            self.take_value(value, place, event)?;
        }
        self.widest = self.widest.max(self.rows() - before);
        Ok(())
    }

    #[inline]
    fn take_value(
        &mut self,
        value: &ValueParts<'_>,
        place: usize,
        event: &mut Event<'_>,
    ) -> Result<(), ArrowError> {
        let mut found = self.series.find(value.tag, value.metadata);
        if !value.node_name.is_empty() {
            found = found.and_then(|_| {
                let named = with_node_name(value.metadata, value.node_name);
                self.series.find_apart(value.tag, &named)
            });
        }
        let Ok(series) = found else {
            self.report(event.offset, event.length, Reason::BadRecord);
            self.keep_unknown(value, b"", event);
            return Ok(());
        };
        let role = self.series.role(series);
        if !value.is_odd && matches!(role, Role::Plain | Role::Scalars) {
            let number = match value.form {
                Form::Simple(number) => Some(Number::Float32(number)),
                Form::Tensor(tensor) => plain_number(tensor),
                _ => None,
            };
            if let Some(number) = number {
                self.push_number(series, number, place, event);
                return Ok(());
            }
        }
        self.take_other_value(value, place, series, role, event)
    }

    #[inline(never)]
    fn take_other_value(
        &mut self,
        value: &ValueParts<'_>,
        place: usize,
        series: usize,
        role: Role,
        event: &mut Event<'_>,
    ) -> Result<(), ArrowError> {
        self.bytes += value.raw.len() + 1;
        let before = self.media.rows();
        let taken = if value.is_odd {
            Ok(false)
        } else {
            self.push_value(value, place, series, role, event)
        };
        self.widest = self.widest.max(self.media.rows() - before);
        self.histograms.edges.roll_back();
        self.histograms.counts.roll_back();
        if taken == Err(Malformed) {
            self.report(event.offset, event.length, Reason::BadTensor);
        }
        if taken != Ok(true) {
            let plugin = self.series.name(series).plugin.clone();
            self.keep_unknown(value, &plugin, event);
        }
        Ok(())
    }

    /// False if the value is none that its role knows.
    fn push_value(
        &mut self,
        value: &ValueParts<'_>,
        place: usize,
        series: usize,
        role: Role,
        event: &mut Event<'_>,
    ) -> Result<bool, Malformed> {
        match (role, value.form) {
            (Role::Hparams, _) => return self.take_hparams(series, value, event),
            (Role::Plain | Role::Histograms, Form::Histogram(_))
            | (Role::Histograms, Form::Tensor(_)) => {
                return self.push_histogram(value.form, series, event);
            }
            (Role::Plain | Role::Scalars, Form::Tensor(bytes)) => {
                let tensor = Tensor::of(bytes)?;
                if matches!(tensor.dtype, Dtype::String | Dtype::Other) || tensor.elements()? != 1 {
                    return Ok(false);
                }
                self.push_number(series, tensor.number()?, place, event);
                return Ok(true);
            }
            (Role::Text, Form::Tensor(bytes)) => {
                return self.push_text(&Tensor::of(bytes)?, series, place, event);
            }
            (Role::Layout | Role::Runferry, Form::Tensor(bytes)) => {
                return self.take_string(Tensor::of(bytes)?.string()?, role, value, event);
            }
            (Role::Plain | Role::Images, Form::Image(_))
            | (Role::Plain | Role::Audio, Form::Audio(_))
            | (
                Role::Images | Role::Audio | Role::PrCurves | Role::Mesh | Role::Graph(_),
                Form::Tensor(_),
            ) => {}
            _ => return Ok(false),
        }
        self.push_media(value.form, series, role, event)
    }
}
