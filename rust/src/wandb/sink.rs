//! Owns where values go: the tables, the series they belong to, and what was wrong with them.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::columns::{Points, Values};
use crate::damage::{Damage, Reason};
use crate::json::walk;
use crate::json::{self, Scalar};
use crate::wandb::keys::ItemValue;

/// Mappings nested deeper than this stay one value.
const FLATTEN_DEPTH: usize = 64;

/// What JSON allows around a value.
const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

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
    pub fn number(&mut self, stream: Stream, path: &[String]) -> i32 {
        let name = (stream, path.to_vec());
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        let number = i32::try_from(self.names.len()).unwrap_or(i32::MAX);
        self.names.push(name.clone());
        self.numbers.insert(name, number);
        number
    }

    pub fn truncate(&mut self, length: usize) {
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
        self.damage.push(self.damage_here(reason));
    }

    /// Damage to the record at work.
    pub fn damage_here(&self, reason: Reason) -> Damage {
        let (offset, length) = self.record;
        Damage {
            offset,
            length,
            reason,
        }
    }

    /// Text for sure; what is no UTF-8 is replaced and reported.
    pub fn text<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, str> {
        let text = String::from_utf8_lossy(bytes);
        if matches!(text, Cow::Owned(_)) {
            self.report(Reason::BadUtf8);
        }
        text
    }

    pub fn push_scalar(&mut self, series: i32, scalar: Scalar, written: &str) {
        match scalar {
            Scalar::Float(value) => self.points.push_float(series, value),
            Scalar::Int(value) => self.points.push_int(series, value),
            Scalar::Bool(value) => self.points.push_bool(series, value),
            Scalar::Null => self.points.push_null(series),
            Scalar::HugeInt | Scalar::Other => self.values.push(series, written),
        }
    }

    /// A value as JSON text. Mappings are taken apart by structure, but for those with a `_type`.
    pub fn push_json(&mut self, stream: Stream, path: &[String], json: &[u8]) {
        if let Some(text) = self.checked(json) {
            self.push_checked(stream, path, &text, FLATTEN_DEPTH);
        }
    }

    fn push_checked(&mut self, stream: Stream, path: &[String], text: &str, depth: usize) {
        let members = if text.starts_with('{') {
            walk::members(text)
        } else {
            Vec::new()
        };
        let is_media = members
            .iter()
            .any(|(name, value)| is_type_mark(name, value));
        if members.is_empty() || is_media || depth == 0 {
            let series = self.series.number(stream, path);
            return self.push_scalar(series, json::scalar(text.as_bytes()), text);
        }
        let mut path = path.to_vec();
        for (name, value) in members {
            path.push(name);
            self.push_checked(stream, &path, value, depth - 1);
            path.pop();
        }
    }

    /// The text if it is JSON, mended where it has to be; None, and reported, if it is none.
    pub fn checked<'a>(&mut self, json: &'a [u8]) -> Option<Cow<'a, str>> {
        let text = match self.text(json) {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches(SPACE)),
            Cow::Owned(text) => Cow::Owned(text.trim_matches(SPACE).to_owned()),
        };
        let Some(checked) = walk::check(&text) else {
            self.report(Reason::BadJson);
            return None;
        };
        if checked.has_lone_surrogate {
            self.report(Reason::LoneSurrogate);
            return Some(Cow::Owned(walk::without_lone_surrogates(&text)));
        }
        Some(text)
    }
}

/// Whether a member marks its mapping as one value: media, a histogram, a table.
fn is_type_mark(name: &str, value: &str) -> bool {
    name == "_type" && value.starts_with('"')
}

/// None for what is no scalar and for what is missing.
pub fn scalar_of(value: ItemValue<'_>) -> Option<Scalar> {
    match value {
        ItemValue::Json(json) => Some(json::scalar(json)),
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
        ItemValue::Number(value) => Cow::Owned(json::float(value).into_bytes()),
        ItemValue::Text(text) => Cow::Owned(json::quote(&sink.text(text)).into_bytes()),
        ItemValue::Missing => return None,
    })
}
