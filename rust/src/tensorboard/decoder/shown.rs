//! Owns rows of texts, histograms and media, out of values that some plugin shows.

use std::borrow::Cow;

use super::{Decoder, Event};
use crate::damage::Reason;
use crate::protobuf::Malformed;
use crate::tensorboard::dtype::Dtype;
use crate::tensorboard::histogram;
use crate::tensorboard::media::Target;
use crate::tensorboard::nested::nested;
use crate::tensorboard::own_field::Kind;
use crate::tensorboard::plugin::Role;
use crate::tensorboard::tensor::Tensor;
use crate::tensorboard::value::Form;

impl Decoder {
    pub(super) fn push_text(
        &mut self,
        tensor: &Tensor<'_>,
        series: usize,
        place: usize,
        event: &mut Event<'_>,
    ) -> Result<bool, Malformed> {
        if tensor.dtype != Dtype::String {
            return Ok(false);
        }
        let strings = tensor.strings()?;
        let texts: Vec<_> = strings
            .iter()
            .map(|text| String::from_utf8_lossy(text))
            .collect();
        if texts.iter().any(|text| matches!(text, Cow::Owned(_))) {
            self.report(event.offset, event.length, Reason::BadUtf8);
        }
        let shape = if texts.len() == 1 { tensor.dims() } else { &[] };
        let number = self.series.number_of_text(series, shape);
        let kind = event.kind(place);
        match &texts[..] {
            [_] if kind == Some(Kind::Null) => self.texts.push(number, &event.at, None, false),
            [only] => self
                .texts
                .push(number, &event.at, Some(only), kind == Some(Kind::Json)),
            several => {
                let json = nested(several, tensor.dims());
                self.texts.push(number, &event.at, Some(&json), true);
            }
        }
        event.is_row = true;
        Ok(true)
    }

    pub(super) fn push_histogram(
        &mut self,
        form: Form<'_>,
        series: usize,
        event: &mut Event<'_>,
    ) -> Result<bool, Malformed> {
        self.scratch.clear();
        let is_taken = match form {
            Form::Histogram(message) => {
                histogram::push_message(message, &mut self.histograms, &mut self.scratch)?;
                true
            }
            Form::Tensor(bytes) => {
                let tensor = Tensor::of(bytes)?;
                histogram::push_tensor(&tensor, &mut self.histograms, &mut self.scratch)?
            }
            _ => false,
        };
        if is_taken {
            let number = self.series.number(series);
            if let Some(said) = event
                .own
                .and_then(|own| own.histograms.get(event.used.histograms))
            {
                event.used.histograms += 1;
                let pushed = self.histograms.push_as(number, &event.at, said);
                pushed.map_err(|_| Malformed)?;
                event.is_row = true;
                return Ok(true);
            }
            let extra = (!self.scratch.is_empty()).then_some(self.scratch.as_str());
            // Offsets of 32 bits are enough for a batch of 32 MiB and one more record.
            self.histograms
                .push(number, &event.at, extra)
                .map_err(|_| Malformed)?;
            event.is_row = true;
        }
        Ok(is_taken)
    }

    pub(super) fn push_media(
        &mut self,
        form: Form<'_>,
        series: usize,
        role: Role,
        event: &mut Event<'_>,
    ) -> Result<bool, Malformed> {
        let mut target = Target {
            rows: &mut self.media,
            series: self.series.number_to_be(series),
            at: &event.at,
        };
        let content = &self.series.name(series).content;
        let is_taken = match (role, form) {
            (_, Form::Image(message)) => target.image(message).map(|()| true),
            (_, Form::Audio(message)) => target.audio(message).map(|()| true),
            (Role::Images, Form::Tensor(bytes)) => target.images(&Tensor::of(bytes)?),
            (Role::Audio, Form::Tensor(bytes)) => target.clips(&Tensor::of(bytes)?),
            (Role::PrCurves, Form::Tensor(bytes)) => target.pr_curve(&Tensor::of(bytes)?),
            (Role::Mesh, Form::Tensor(bytes)) => target.mesh(bytes, content).map(|()| true),
            (Role::Graph(form), Form::Tensor(bytes)) => target.blobs(form, &Tensor::of(bytes)?),
            _ => Ok(false),
        }?;
        if is_taken {
            self.series.number(series);
            event.is_row = true;
        }
        Ok(is_taken)
    }
}
