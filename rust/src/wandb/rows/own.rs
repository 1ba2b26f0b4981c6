//! Owns how a row of ours is taken apart again: values by their source rows, as they were.

use super::{FIELD, RowReader};
use crate::columns::At;
use crate::json::{self, Scalar};
use crate::protobuf::timestamp_ns;
use crate::protobuf::{Malformed, Wire, take_bytes_field, take_field, varint};
use crate::wandb::address::{step_field, time_of};
use crate::wandb::keys::ItemValue;
use crate::wandb::own::{Code, OwnRow, TAG};
use crate::wandb::sink::{Sink, Stream};

/// A row that was checked and can be taken as a whole.
pub struct CheckedRow<'a> {
    own: OwnRow<'a>,
    /// Column and JSON of each value.
    items: Vec<(usize, &'a [u8])>,
}

impl CheckedRow<'_> {
    pub fn items(&self) -> usize {
        self.items.len()
    }

    pub fn last_seq(&self) -> Option<i64> {
        self.own.sources.last().map(|source| source.seq)
    }
}

impl RowReader {
    /// What a message that begins with our field says.
    pub fn own_row<'a>(
        &mut self,
        message: &'a [u8],
        sink: &Sink,
    ) -> Result<CheckedRow<'a>, Malformed> {
        let mut rest = message.strip_prefix(&TAG).ok_or(Malformed)?;
        let length = usize::try_from(varint(&mut rest)?).or(Err(Malformed))?;
        let (content, mut rest) = rest.split_at_checked(length).ok_or(Malformed)?;
        let (mut items, mut field) = (Vec::new(), None);
        let tag = self.item_tag();
        while !rest.is_empty() {
            if let Some(item) = take_bytes_field(&mut rest, tag) {
                let item = self.keys.take(item)?;
                let (ItemValue::Json(json), false) = (item.value, item.is_odd) else {
                    return Err(Malformed);
                };
                let slot = item.slot;
                if slot == self.columns.len() {
                    self.add_column(slot, sink);
                }
                items.push((slot, json));
            } else if let Some(other) = take_field(&mut rest) {
                match other? {
                    (FIELD, Wire::Bytes(message)) => field = Some(message),
                    _ => return Err(Malformed),
                }
            }
        }
        let (step, time_ns) = match self.stream {
            Stream::User => (field.and_then(step_field), self.shown_time(&items)),
            Stream::System => (None, field.and_then(timestamp_ns)),
        };
        let own = OwnRow::of(content, items.len(), step, time_ns)?;
        items.truncate(items.len() - own.shown);
        Ok(CheckedRow { own, items })
    }

    /// The time of the row stands behind its step.
    fn shown_time(&self, items: &[(usize, &[u8])]) -> Option<i64> {
        let mut last = items.iter().rev().take(2);
        let (_, json) = last.find(|(slot, _)| self.columns[*slot].path == ["_timestamp"])?;
        time_of(ItemValue::Json(json))
    }

    pub fn take_own(&mut self, row: CheckedRow<'_>, sink: &mut Sink) {
        let CheckedRow { mut own, items } = row;
        let sources = std::mem::take(&mut own.sources);
        let mut next = items.into_iter().enumerate();
        for source in sources {
            for (number, (slot, json)) in next.by_ref().take(source.items) {
                self.take_value(slot, own.code(number), json, &mut own, sink);
            }
            let at = At {
                step: source.step,
                step_frac: source.step_frac,
                time: source.time_ns,
                seq: source.seq,
            };
            sink.points.settle(&at);
            sink.values.settle(&at);
        }
    }

    fn take_value(
        &mut self,
        slot: usize,
        code: Code,
        json: &[u8],
        own: &mut OwnRow<'_>,
        sink: &mut Sink,
    ) {
        if code == Code::Shown {
            return;
        }
        let column = &mut self.columns[slot];
        let series = match column.series {
            Some(series) => series,
            None => sink.series.number(self.stream, &column.path),
        };
        column.series = Some(series);
        match code {
            Code::AsSpelled => match json::scalar(json) {
                Scalar::Float(value) => sink.points.push_float(series, value),
                Scalar::Int(value) => sink.points.push_int(series, value),
                scalar => {
                    let text = sink.text(json).into_owned();
                    sink.push_scalar(series, scalar, &text);
                }
            },
            Code::Float32 => match json::scalar(json) {
                Scalar::Float(value) => sink.points.push_wide_float32(series, value),
                _ => sink.points.push_wide_float32(series, f64::NAN),
            },
            Code::ExactFloat64 => sink.points.push_float(series, own.next_double()),
            Code::ExactFloat32 => sink.points.push_wide_float32(series, own.next_double()),
            Code::ExactInt => sink.points.push_wide_int(series, own.next_double()),
            _ => {
                let json = if code == Code::ExactHistogram {
                    own.next_text()
                } else {
                    json
                };
                let text = sink.text(json).into_owned();
                sink.values.push_coded(series, &text, code as i8);
            }
        }
    }
}
