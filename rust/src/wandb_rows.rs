//! Owns how one row of W&B items becomes points and values: history rows and system statistics.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::columns::{At, Points, Values};
use crate::json_text::{self, Scalar};
use crate::leveldb_log::{Damage, Reason};
use crate::protobuf::{Fields, Malformed, Wire, take_bytes_field, take_field};
use crate::wandb_keys::{Item, ItemValue, Keys};
use crate::wandb_media::Media;

/// Mappings nested deeper than this stay one value.
const FLATTEN_DEPTH: usize = 64;

/// Who logged a series: the user, or the tracker about the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    User,
    System,
}

impl Stream {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::System => "system",
        }
    }
}

/// The name of a series: who logged it, and its path.
pub type SeriesName = (Stream, Vec<String>);

/// All series of a scan, numbered in order of their first value.
#[derive(Default)]
pub struct SeriesTable {
    numbers: HashMap<SeriesName, i32>,
    names: Vec<SeriesName>,
    /// How many had been handed out before this batch.
    handed_out: usize,
}

impl SeriesTable {
    fn number(&mut self, stream: Stream, path: &[String]) -> i32 {
        let name = (stream, path.to_vec());
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        let number = i32::try_from(self.names.len()).unwrap_or(i32::MAX);
        self.names.push(name.clone());
        self.numbers.insert(name, number);
        number
    }

    fn truncate(&mut self, length: usize) {
        for name in self.names.drain(length..).collect::<Vec<_>>() {
            self.numbers.remove(&name);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// The series first met since this was last asked.
    pub fn take_new(&mut self) -> Vec<SeriesName> {
        let new = self.names[self.handed_out..].to_vec();
        self.handed_out = self.names.len();
        new
    }
}

/// What rows are written to.
#[derive(Default)]
pub struct Sink {
    pub points: Points,
    pub values: Values,
    pub series: SeriesTable,
    pub damage: Vec<Damage>,
    /// The record at work: offset and length.
    pub record: (u64, u64),
}

impl Sink {
    pub fn report(&mut self, reason: Reason) {
        let (offset, length) = self.record;
        self.damage.push(Damage {
            offset,
            length,
            reason,
        });
    }

    /// Text for sure; what is no UTF-8 is replaced and reported.
    pub fn text<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, str> {
        let text = String::from_utf8_lossy(bytes);
        if matches!(text, Cow::Owned(_)) {
            self.report(Reason::BadUtf8);
        }
        text
    }

    fn push_scalar(&mut self, series: i32, scalar: Scalar, written: &str) {
        match scalar {
            Scalar::Float(value) => self.points.push_float(series, value),
            Scalar::Int(value) => self.points.push_int(series, value),
            Scalar::Bool(value) => self.points.push_bool(series, value),
            Scalar::Null => self.points.push_null(series),
            Scalar::HugeInt | Scalar::Other => self.values.push(series, written),
        }
    }

    /// A value as JSON text. Mappings are taken apart by structure, but for those with a `_type`.
    fn push_json(&mut self, stream: Stream, path: &[String], json: &[u8]) {
        if let Some(text) = self.checked(json) {
            self.push_checked(stream, path, &text, FLATTEN_DEPTH);
        }
    }

    fn push_checked(&mut self, stream: Stream, path: &[String], text: &str, depth: usize) {
        let members = if text.starts_with('{') {
            json_text::members(text)
        } else {
            Vec::new()
        };
        let is_media = members
            .iter()
            .any(|(name, value)| is_type_mark(name, value));
        if members.is_empty() || is_media || depth == 0 {
            let series = self.series.number(stream, path);
            return self.push_scalar(series, json_text::scalar(text.as_bytes()), text);
        }
        let mut path = path.to_vec();
        for (name, value) in members {
            path.push(name);
            self.push_checked(stream, &path, value, depth - 1);
            path.pop();
        }
    }

    /// The text if it is JSON, mended where it has to be; None, and reported, if it is none.
    pub fn checked(&mut self, json: &[u8]) -> Option<String> {
        let text = self.text(json);
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        let Some(checked) = json_text::check(text) else {
            self.report(Reason::BadJson);
            return None;
        };
        if checked.has_lone_surrogate {
            self.report(Reason::LoneSurrogate);
            return Some(json_text::without_lone_surrogates(text));
        }
        Some(text.to_owned())
    }
}

/// Whether a member marks its mapping as one value: media, a histogram, a table.
fn is_type_mark(name: &str, value: &str) -> bool {
    name == "_type" && value.starts_with('"')
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Series,
    Step,
    Timestamp,
    /// The last element is `_type`: what shares the rest of the path is one value.
    TypeMark,
}

struct Column {
    path: Vec<String>,
    role: Role,
    /// The series, once it has one.
    series: Option<i32>,
}

/// What is known of the row at work.
#[derive(Default)]
struct Row<'a> {
    /// The field `step` of a history row, or `timestamp` of statistics.
    field: Option<&'a [u8]>,
    step: Option<(usize, ItemValue<'a>)>,
    timestamp: Option<(usize, ItemValue<'a>)>,
    has_type_mark: bool,
    /// It holds something that columns cannot say.
    is_odd: bool,
}

/// The columns of one stream.
pub struct RowReader {
    stream: Stream,
    keys: Keys,
    columns: Vec<Column>,
}

impl RowReader {
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            keys: Keys::default(),
            columns: Vec::new(),
        }
    }

    /// Adds a row's values to the sink; they get their address when the caller settles them.
    ///
    /// True in the second place: the row holds something that columns cannot say.
    pub fn read(&mut self, message: &[u8], sink: &mut Sink) -> Result<(At, bool), Malformed> {
        let series = sink.series.names.len();
        let damage = sink.damage.len();
        let mut row = self.walk(message, sink)?;
        if row.has_type_mark {
            self.take_back(series, sink);
            sink.damage.truncate(damage);
            row = self.walk_media(message, sink)?;
        }
        let at = match self.stream {
            Stream::User => self.address(&mut row, sink),
            Stream::System => At {
                time: row.field.and_then(timestamp_ns),
                ..At::default()
            },
        };
        Ok((at, row.is_odd))
    }

    /// Undoes what a row did, series first met in it included.
    pub fn take_back(&mut self, series: usize, sink: &mut Sink) {
        sink.points.roll_back();
        sink.values.roll_back();
        if sink.series.names.len() > series {
            sink.series.truncate(series);
            for column in &mut self.columns {
                column.series = column.series.filter(|number| (*number as usize) < series);
            }
        }
    }

    fn walk<'a>(&mut self, message: &'a [u8], sink: &mut Sink) -> Result<Row<'a>, Malformed> {
        let mut row = Row::default();
        let tag = self.item_tag();
        let mut rest = message;
        self.keys.begin_row();
        while !rest.is_empty() {
            if let Some(item) = take_bytes_field(&mut rest, tag) {
                self.item(item, &mut row, sink)?;
            } else if let Some(field) = take_field(&mut rest) {
                self.other_field(field?, &mut row);
            }
        }
        Ok(row)
    }

    /// The tag of an item: field 1 of a history row, 3 of statistics.
    fn item_tag(&self) -> u8 {
        if self.stream == Stream::User {
            0x0a
        } else {
            0x1a
        }
    }

    fn other_field<'a>(&self, field: (u32, Wire<'a>), row: &mut Row<'a>) {
        match field {
            (2, Wire::Bytes(message)) => {
                row.is_odd |= row.field.is_some();
                row.field = Some(message);
            }
            (200, Wire::Bytes(_)) | (1, Wire::Varint(0)) => {}
            _ => row.is_odd = true,
        }
    }

    #[inline(always)]
    fn item<'a>(
        &mut self,
        item: &'a [u8],
        row: &mut Row<'a>,
        sink: &mut Sink,
    ) -> Result<(), Malformed> {
        let Item {
            slot,
            value,
            is_odd,
        } = self.keys.take(item)?;
        row.is_odd |= is_odd;
        if slot == self.columns.len() {
            self.add_column(slot, sink);
        }
        let column = &self.columns[slot];
        if let (Some(series), ItemValue::Json(json)) = (column.series, value) {
            match json_text::scalar(json) {
                Scalar::Float(value) => sink.points.push_float(series, value),
                Scalar::Int(value) => sink.points.push_int(series, value),
                _ => row.is_odd |= !self.push(slot, value, sink),
            }
            return Ok(());
        }
        match column.role {
            Role::Series => row.is_odd |= !self.push(slot, value, sink),
            Role::Step => row.step = Some((slot, value)),
            Role::Timestamp => row.timestamp = Some((slot, value)),
            Role::TypeMark => row.has_type_mark = true,
        }
        Ok(())
    }

    fn add_column(&mut self, slot: usize, sink: &mut Sink) {
        let elements = self.keys.path(slot).into_iter();
        let path: Vec<String> = elements.map(|name| sink.text(name).into_owned()).collect();
        let role = match path.as_slice() {
            [only] if only == "_step" && self.stream == Stream::User => Role::Step,
            [only] if only == "_timestamp" && self.stream == Stream::User => Role::Timestamp,
            [_, .., last] if last == "_type" && self.stream == Stream::User => Role::TypeMark,
            _ => Role::Series,
        };
        self.columns.push(Column {
            path,
            role,
            series: None,
        });
    }

    /// Adds a value as an ordinary one; false if there is none.
    fn push(&mut self, slot: usize, value: ItemValue<'_>, sink: &mut Sink) -> bool {
        let column = &mut self.columns[slot];
        match scalar_of(value) {
            Some(Scalar::HugeInt | Scalar::Other) | None => {
                let Some(json) = json_of(value, sink) else {
                    return false;
                };
                sink.push_json(self.stream, &column.path, json.as_ref());
            }
            Some(scalar) => {
                let number = || sink.series.number(self.stream, &column.path);
                let series = *column.series.get_or_insert_with(number);
                sink.push_scalar(series, scalar, "");
            }
        }
        true
    }

    /// A history row's step and time. What cannot be one stays an ordinary value.
    fn address(&mut self, row: &mut Row<'_>, sink: &mut Sink) -> At {
        let logged = row.step.and_then(|(_, value)| step_of(value));
        let field = row.field.map(step_field);
        row.is_odd |=
            matches!((logged, field), (Some(logged), Some(field)) if field != Some(logged));
        let time = row.timestamp.and_then(|(_, value)| time_of(value));
        // A row of nothing but its address would otherwise leave no trace.
        let is_bare = sink.points.is_settled() && sink.values.is_settled();
        for (special, used) in [
            (row.step, logged.is_some()),
            (row.timestamp, time.is_some()),
        ] {
            if let Some((slot, value)) = special
                && (is_bare || !used)
            {
                row.is_odd |= !self.push(slot, value, sink);
            }
        }
        At {
            step: logged.or(field.flatten()),
            time,
            seq: 0,
        }
    }

    /// The row again, this time putting together what core took apart.
    fn walk_media<'a>(&mut self, message: &'a [u8], sink: &mut Sink) -> Result<Row<'a>, Malformed> {
        let mut row = Row::default();
        let mut items = Vec::new();
        let tag = self.item_tag();
        let mut rest = message;
        self.keys.begin_row();
        while !rest.is_empty() {
            if let Some(item) = take_bytes_field(&mut rest, tag) {
                let item = self.keys.take(item)?;
                row.is_odd |= item.is_odd;
                items.push((item.slot, item.value));
            } else if let Some(field) = take_field(&mut rest) {
                self.other_field(field?, &mut row);
            }
        }
        let mut media = Media::default();
        for (slot, value) in &items {
            if self.columns[*slot].role == Role::TypeMark && is_text(*value) {
                let path = &self.columns[*slot].path;
                media.add_prefix(&path[..path.len() - 1]);
            }
        }
        for (slot, value) in items {
            let column = &self.columns[slot];
            match column.role {
                Role::Step => row.step = Some((slot, value)),
                Role::Timestamp => row.timestamp = Some((slot, value)),
                _ => match media.prefix_of(&column.path) {
                    Some(prefix) => {
                        let json = json_of(value, sink);
                        let text = json.as_ref().and_then(|json| sink.checked(json.as_ref()));
                        row.is_odd |= json.is_none();
                        let rest = &column.path[media.length(prefix)..];
                        if let Some(text) = text
                            && !media.put(prefix, rest, text)
                        {
                            sink.report(Reason::Overlap);
                        }
                    }
                    None => row.is_odd |= !self.push(slot, value, sink),
                },
            }
        }
        for (path, json) in media.finish() {
            let series = sink.series.number(self.stream, &path);
            sink.values.push(series, &json);
        }
        Ok(row)
    }
}

fn is_text(value: ItemValue<'_>) -> bool {
    matches!(value, ItemValue::Json([b'"', ..]) | ItemValue::Text(_))
}

/// None for what is no scalar and for what is missing.
fn scalar_of(value: ItemValue<'_>) -> Option<Scalar> {
    match value {
        ItemValue::Json(json) => Some(json_text::scalar(json)),
        ItemValue::Null => Some(Scalar::Null),
        ItemValue::Bool(value) => Some(Scalar::Bool(value)),
        ItemValue::Int(value) => Some(Scalar::Int(value)),
        ItemValue::Number(value) => Some(Scalar::Float(value)),
        ItemValue::Text(_) | ItemValue::Missing => None,
    }
}

/// The value as JSON text; None if there is none.
pub fn json_of<'a>(value: ItemValue<'a>, sink: &mut Sink) -> Option<Cow<'a, [u8]>> {
    Some(match value {
        ItemValue::Json(json) => return Some(Cow::Borrowed(json)),
        ItemValue::Null => Cow::Borrowed(b"null"),
        ItemValue::Bool(true) => Cow::Borrowed(b"true"),
        ItemValue::Bool(false) => Cow::Borrowed(b"false"),
        ItemValue::Int(value) => Cow::Owned(value.to_string().into_bytes()),
        ItemValue::Number(value) => Cow::Owned(json_text::float(value).into_bytes()),
        ItemValue::Text(text) => Cow::Owned(json_text::quote(&sink.text(text)).into_bytes()),
        ItemValue::Missing => return None,
    })
}

/// A step is a whole number that 64 bits hold, however it is written.
fn step_of(value: ItemValue<'_>) -> Option<i64> {
    match scalar_of(value)? {
        Scalar::Int(step) => Some(step),
        Scalar::Float(step) if step == step.trunc() && step.abs() < 2f64.powi(63) => {
            Some(step as i64)
        }
        _ => None,
    }
}

/// `HistoryStep.num`; None if the message is malformed. An empty one is step 0.
fn step_field(message: &[u8]) -> Option<i64> {
    let mut step = 0;
    for field in Fields::new(message) {
        if let (1, Wire::Varint(number)) = field.ok()? {
            step = number as i64;
        }
    }
    Some(step)
}

/// Seconds since the epoch as nanoseconds, if the very same seconds can be had back from them.
fn time_of(value: ItemValue<'_>) -> Option<i64> {
    match scalar_of(value)? {
        Scalar::Int(seconds) => seconds.checked_mul(1_000_000_000),
        Scalar::Float(seconds) => seconds_to_ns(seconds),
        _ => None,
    }
}

/// Rounded to the nearest nanosecond; None where that would not give the same double back.
pub fn seconds_to_ns(seconds: f64) -> Option<i64> {
    let whole = seconds.floor();
    if whole.abs() >= 9.2e9 || whole.is_nan() {
        return None;
    }
    // The fraction is exact; its product with 1e9 is off by far less than half a nanosecond.
    let nanoseconds = ((seconds - whole) * 1e9).round_ties_even() as i64;
    let ns = whole as i64 * 1_000_000_000 + nanoseconds;
    // From 2^23 s on doubles are more than two nanoseconds apart: the nearest is the same.
    let is_same = seconds.abs() >= 8_388_608.0 || ns_to_seconds(ns).to_bits() == seconds.to_bits();
    is_same.then_some(ns)
}

/// The double nearest to so many nanoseconds.
fn ns_to_seconds(ns: i64) -> f64 {
    let sign = if ns < 0 { "-" } else { "" };
    let (whole, rest) = (
        ns.unsigned_abs() / 1_000_000_000,
        ns.unsigned_abs() % 1_000_000_000,
    );
    fast_float2::parse(format!("{sign}{whole}.{rest:09}")).unwrap_or(f64::NAN)
}

/// `google.protobuf.Timestamp` as nanoseconds; None if it is malformed or beyond 64 bits.
pub fn timestamp_ns(message: &[u8]) -> Option<i64> {
    let (mut seconds, mut nanoseconds) = (0i64, 0i64);
    for field in Fields::new(message) {
        match field.ok()? {
            (1, Wire::Varint(value)) => seconds = value as i64,
            (2, Wire::Varint(value)) => nanoseconds = i64::from(value as i32),
            _ => {}
        }
    }
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
}
