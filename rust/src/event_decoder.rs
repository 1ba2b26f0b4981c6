//! Owns what becomes of an event: rows of scalars, texts, histograms and media, or a record.

use std::borrow::Cow;
use std::mem::{replace, take};

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;

use crate::columns::{At, Points};
use crate::damage::{Damage, Reason};
use crate::event_columns::{HistogramRows, MediaForm, MediaRows, TextRows};
use crate::event_histogram;
use crate::event_media::{Target, nested};
use crate::event_parts::{EventParts, Form, Own, Rest, ValueParts, with_node_name, with_one_value};
use crate::event_record::{Message, OtherRecord, hparams_of};
use crate::event_series::{Role, SeriesTable};
use crate::event_tensor::{Dtype, Number, Tensor, plain_number};
use crate::protobuf::{Malformed, take_bytes_field};
use crate::tensorboard::Batch;

/// A batch ends behind the event that brings it here; scalars are not counted.
const BATCH_BYTES: usize = 16 << 20;

/// Turns events into rows.
pub struct Decoder {
    /// The number of the next source row.
    pub seq: i64,
    pub series: SeriesTable,
    pub points: Points,
    pub texts: TextRows,
    pub histograms: HistogramRows,
    pub media: MediaRows,
    pub records: Vec<OtherRecord>,
    pub damage: Vec<Damage>,
    /// Of the batch at work, but for scalars.
    bytes: usize,
    /// The most rows that one event brought to one table.
    widest: usize,
    scratch: String,
}

/// The event at work.
struct Event<'a> {
    offset: u64,
    length: u64,
    bytes: &'a [u8],
    at: At,
    /// The step as it stands there, for records.
    step: i64,
    own: Option<&'a Own<'a>>,
    /// Whether it is a source row.
    is_row: bool,
    /// The exact integers used up.
    exact: usize,
    /// The same of exact doubles.
    doubles: usize,
    /// The same of what is said of histograms.
    histograms: usize,
}

impl Decoder {
    pub fn new(seq: i64) -> Self {
        Self {
            seq,
            series: SeriesTable::default(),
            points: Points::with_fractions(0),
            texts: TextRows::default(),
            histograms: HistogramRows::default(),
            media: MediaRows::default(),
            records: Vec::new(),
            damage: Vec::new(),
            bytes: 0,
            widest: 1,
            scratch: String::new(),
        }
    }

    /// Whether another event, if none is wider than those before, leaves all tables within `rows`.
    #[inline]
    pub fn has_room(&self, rows: usize) -> bool {
        let widest = self.widest.min(rows / 2);
        self.rows() + widest < rows && self.damage.len() < rows && self.bytes < BATCH_BYTES
    }

    fn rows(&self) -> usize {
        let tables = [
            self.points.rows(),
            self.texts.rows(),
            self.histograms.rows(),
            self.media.rows(),
            self.records.len(),
        ];
        tables.into_iter().max().unwrap_or(0)
    }

    /// What was decoded since this was last asked.
    pub fn finish(&mut self, rows: usize) -> Result<Batch, ArrowError> {
        let room = self.points.rows().min(rows);
        self.bytes = 0;
        let points = replace(&mut self.points, Points::with_fractions(room));
        let (texts, histograms) = (take(&mut self.texts), take(&mut self.histograms));
        let media = take(&mut self.media);
        Ok(Batch {
            points: table(points.rows(), || points.finish())?,
            texts: table(texts.rows(), || texts.finish())?,
            histograms: table(histograms.rows(), || histograms.finish())?,
            media: table(media.rows(), || media.finish())?,
            series: self.series.take_new(),
            records: take(&mut self.records),
            damage: take(&mut self.damage),
        })
    }

    /// Takes an event apart.
    #[inline]
    pub fn take(&mut self, offset: u64, end: u64, bytes: &[u8]) -> Result<(), ArrowError> {
        let length = end - offset;
        let Ok(parts) = EventParts::of(bytes) else {
            self.report(offset, length, Reason::BadRecord);
            return Ok(());
        };
        if parts.own().is_some_and(|own| own.is_shown_only) {
            return Ok(()); // a record of ours says it exactly
        }
        let mut event = Event {
            offset,
            length,
            bytes,
            at: At::default(),
            step: parts.step,
            own: parts.own(),
            is_row: false,
            exact: 0,
            doubles: 0,
            histograms: 0,
        };
        event.at = self.address(&parts, &event);
        self.take_values(&parts, &mut event)?;
        if let Some(rest) = parts.rest() {
            self.take_others(rest, &mut event);
        }
        if self.series.has_bad_text {
            self.series.has_bad_text = false;
            self.report(offset, length, Reason::BadUtf8);
        }
        if event.is_row {
            self.seq = event.at.seq.saturating_add(1);
        }
        Ok(())
    }

    #[inline]
    fn take_values(
        &mut self,
        parts: &EventParts<'_>,
        event: &mut Event<'_>,
    ) -> Result<(), ArrowError> {
        let mut rest = parts.summary();
        if rest.is_empty() {
            return Ok(());
        }
        if let Some(only) = take_bytes_field(&mut rest, 0x0a)
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

    fn push_media(
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

    fn push_histogram(
        &mut self,
        form: Form<'_>,
        series: usize,
        event: &mut Event<'_>,
    ) -> Result<bool, Malformed> {
        self.scratch.clear();
        let is_taken = match form {
            Form::Histogram(message) => {
                event_histogram::push_message(message, &mut self.histograms, &mut self.scratch)?;
                true
            }
            Form::Tensor(bytes) => {
                let tensor = Tensor::of(bytes)?;
                event_histogram::push_tensor(&tensor, &mut self.histograms, &mut self.scratch)?
            }
            _ => false,
        };
        if is_taken {
            let number = self.series.number(series);
            if let Some(said) = event
                .own
                .and_then(|own| own.histograms.get(event.histograms))
            {
                event.histograms += 1;
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

    fn push_text(
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
        let number = self.series.number(series);
        let kind = event.own.and_then(|own| own.kinds.get(place)).unwrap_or(&0);
        match &texts[..] {
            [_] if *kind == 5 => self.texts.push(number, &event.at, None, false),
            [only] => self.texts.push(number, &event.at, Some(only), *kind == 7),
            several => {
                let json = nested(several, tensor.dims());
                self.texts.push(number, &event.at, Some(&json), true);
            }
        }
        event.is_row = true;
        Ok(true)
    }

    #[inline]
    fn push_number(&mut self, series: usize, number: Number, place: usize, event: &mut Event<'_>) {
        let series = self.series.number(series);
        let kind = event.own.and_then(|own| own.kinds.get(place)).unwrap_or(&0);
        match (kind, number) {
            (0, Number::Float32(value)) => self.points.push_float32(series, value),
            (0, Number::Float64(value)) => self.points.push_float(series, value),
            _ => self.push_as(series, number, *kind, event),
        }
        self.points.settle(&event.at);
        event.is_row = true;
    }

    /// A number as the kind that our writer says it had.
    #[inline(never)]
    fn push_as(&mut self, series: i32, number: Number, kind: u8, event: &mut Event<'_>) {
        let value = number.as_f64();
        let is_whole = value == value.trunc() && (-2f64.powi(63)..2f64.powi(63)).contains(&value);
        match (kind, number) {
            (1, _) => return self.points.push_float(series, value),
            (2, _) if value.is_nan() || f64::from(value as f32) == value => {
                return self.points.push_float32(series, value as f32);
            }
            (3, _) if is_whole => return self.points.push_int(series, value as i64),
            (4, _) if value == 0.0 || value == 1.0 => {
                return self.points.push_bool(series, value == 1.0);
            }
            (5, _) => return self.points.push_null(series),
            (8 | 9, _) => {
                event.doubles += 1;
                let exact = event.own.and_then(|own| own.doubles.get(event.doubles - 1));
                if let Some(bytes) = exact {
                    let exact = f64::from_le_bytes(*bytes);
                    return match kind {
                        8 => self.points.push_float(series, exact),
                        _ => self.points.push_wide_float32(series, exact),
                    };
                }
            }
            (6, _) => {
                event.exact += 1;
                let exact = event.own.and_then(|own| own.exact.get(event.exact - 1));
                if let Some(exact) = exact {
                    return self.points.push_int(series, *exact);
                }
            }
            _ => {}
        }
        if kind != 0 {
            self.report(event.offset, event.length, Reason::BadRecord);
        }
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

    // --- records --------------------------------------------------------------------------------

    fn take_hparams(
        &mut self,
        series: usize,
        value: &ValueParts<'_>,
        event: &mut Event<'_>,
    ) -> Result<bool, Malformed> {
        let content = &self.series.name(series).content;
        let Some((name, message)) = hparams_of(content)? else {
            return Ok(false);
        };
        let message = Message::Typed {
            bytes: message.to_vec(),
            step: Some(event.step),
            event: with_one_value(event.bytes, Some(value.raw)),
        };
        self.add_record(name, message, event);
        Ok(true)
    }

    fn take_string(
        &mut self,
        bytes: &[u8],
        role: Role,
        value: &ValueParts<'_>,
        event: &mut Event<'_>,
    ) -> Result<bool, Malformed> {
        let bytes = bytes.to_vec();
        if role == Role::Layout {
            let step = Some(event.step);
            let message = Message::Typed {
                bytes,
                step,
                event: with_one_value(event.bytes, Some(value.raw)),
            };
            self.add_record("layout", message, event);
        } else {
            let tag = value.tag.to_vec();
            self.add_record("runferry", Message::Runferry { tag, json: bytes }, event);
        }
        Ok(true)
    }

    /// What an event holds besides values, and what it should not hold.
    #[inline(never)]
    fn take_others(&mut self, rest: &Rest<'_>, event: &mut Event<'_>) {
        for (number, bytes) in &rest.others {
            self.bytes += bytes.len();
            let named = match number {
                3 => ("file_version", Message::Version(bytes.to_vec())),
                10 => {
                    let message = Message::Typed {
                        bytes: bytes.to_vec(),
                        step: None,
                        event: with_one_value(event.bytes, None),
                    };
                    ("source_metadata", message)
                }
                4 => {
                    self.take_graph(b"graph_def", b"graphs", MediaForm::GraphDef, bytes, event);
                    continue;
                }
                9 => {
                    let form = MediaForm::MetaGraphDef;
                    self.take_graph(b"meta_graph_def", b"graphs", form, bytes, event);
                    continue;
                }
                8 => {
                    self.take_run_metadata(bytes, event);
                    continue;
                }
                _ => {
                    event.is_row = true;
                    let message = Message::Typed {
                        bytes: bytes.to_vec(),
                        step: Some(event.step),
                        event: with_one_value(event.bytes, None),
                    };
                    let name = if *number == 7 {
                        "session_log"
                    } else {
                        "log_message"
                    };
                    (name, message)
                }
            };
            self.add_record(named.0, named.1, event);
        }
        if let Some(number) = rest.stranger {
            self.add_unknown(b"", format!("#{number}").as_bytes(), None, event);
        }
    }

    fn take_graph(
        &mut self,
        tag: &[u8],
        plugin: &[u8],
        form: MediaForm,
        bytes: &[u8],
        event: &mut Event<'_>,
    ) {
        let length = plugin.len() as u8; // of a few letters
        let metadata = [&[0x0a, length + 2, 0x0a, length], plugin].concat();
        let Ok(series) = self.series.find_apart(tag, &metadata) else {
            return; // these metadata are well formed
        };
        let series = self.series.number(series);
        let mut target = Target {
            rows: &mut self.media,
            series,
            at: &event.at,
        };
        target.blob(form, bytes);
        event.is_row = true;
    }

    fn take_run_metadata(&mut self, message: &[u8], event: &mut Event<'_>) {
        match crate::event_record::tagged_of(message) {
            Ok((tag, content)) => {
                let plugin = b"graph_tagged_run_metadata";
                self.take_graph(tag, plugin, MediaForm::TaggedRunMetadata, content, event);
            }
            Err(Malformed) => {
                self.report(event.offset, event.length, Reason::BadRecord);
                self.add_unknown(b"", b"tagged_run_metadata", None, event);
            }
        }
    }

    fn keep_unknown(&mut self, value: &ValueParts<'_>, plugin: &[u8], event: &mut Event<'_>) {
        self.add_unknown(value.tag, plugin, Some(value.raw), event);
    }

    fn add_unknown(
        &mut self,
        tag: &[u8],
        plugin: &[u8],
        value: Option<&[u8]>,
        event: &mut Event<'_>,
    ) {
        event.is_row = true;
        let message = Message::Unknown {
            tag: tag.to_vec(),
            plugin: plugin.to_vec(),
            step: event.step,
            event: with_one_value(event.bytes, value),
        };
        self.add_record("unknown", message, event);
    }

    fn add_record(&mut self, name: &'static str, message: Message, event: &Event<'_>) {
        self.bytes += 64;
        self.records.push(OtherRecord {
            name,
            offset: event.offset,
            length: event.length,
            seq: event.at.seq,
            time: event.at.time,
            message,
        });
    }

    // --- addresses ------------------------------------------------------------------------------

    #[inline]
    fn address(&mut self, parts: &EventParts<'_>, event: &Event<'_>) -> At {
        let (time, reason) = ns_of(parts.wall_time);
        let mut at = At {
            step: Some(parts.step),
            step_frac: None,
            time,
            seq: self.seq,
        };
        let mut is_told = false;
        if let Some(own) = parts.own() {
            at.seq = own.seq.unwrap_or(at.seq);
            at.step = at.step.filter(|_| !own.step_is_null);
            at.step_frac = own.step_frac;
            at.time = own.time_ns.or(at.time).filter(|_| !own.time_is_null);
            is_told = own.time_is_null || own.time_ns.is_some();
        }
        if let Some(reason) = reason
            && !is_told
        {
            self.report(event.offset, event.length, reason);
        }
        at
    }

    #[cold]
    fn report(&mut self, offset: u64, length: u64, reason: Reason) {
        self.damage.push(Damage {
            offset,
            length,
            reason,
        });
    }
}

fn table(
    rows: usize,
    finish: impl FnOnce() -> Result<RecordBatch, ArrowError>,
) -> Result<Option<RecordBatch>, ArrowError> {
    (rows > 0).then(finish).transpose()
}

fn values_of(summary: &[u8]) -> Result<Vec<ValueParts<'_>>, Malformed> {
    let mut values = Vec::new();
    let mut rest = summary;
    while !rest.is_empty() {
        match take_bytes_field(&mut rest, 0x0a) {
            Some(value) => values.push(ValueParts::of(value)?),
            None => match crate::protobuf::take_field(&mut rest) {
                Some(Ok(_)) | None => {}
                Some(Err(malformed)) => return Err(malformed),
            },
        }
    }
    Ok(values)
}

/// Seconds since the epoch as the nearest nanosecond, and what is wrong with that.
#[inline]
pub fn ns_of(seconds: f64) -> (Option<i64>, Option<Reason>) {
    if !(-9.2e9..9.2e9).contains(&seconds) {
        return (None, Some(Reason::BadTime));
    }
    // Truncation instead of `floor`: that is a call where the processor may not have it.
    let whole = seconds as i64;
    let rest = (seconds - whole as f64) * 1e9;
    let nearest = (rest + 0.5f64.copysign(rest)) as i64;
    let ns = whole * 1_000_000_000 + nearest;
    // From 2^23 s on doubles are more than two nanoseconds apart: the nearest is the same.
    if seconds.abs() < 8_388_608.0 && ns as f64 / 1e9 != seconds {
        return (Some(ns), Some(Reason::RoundedTime));
    }
    (Some(ns), None)
}
