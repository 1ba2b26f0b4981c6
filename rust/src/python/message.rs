//! Owns messages as Python dicts, by the schema; what the schema lacks is kept under its number.

use std::borrow::Cow;

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::protobuf::{Fields, Malformed, Wire, varint, zigzag};
use crate::python::json_conventions::{base64, rfc3339};
use crate::python::schema::{Field, Label, Message, Schema, Type};

/// Messages nested deeper than this are refused, as protobuf's own readers do.
const DEPTH: usize = 100;

/// How values look.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Integers as they are, times as nanoseconds, unknown bytes as bytes.
    Native,
    /// The conventions of protobuf's JSON: 64-bit integers as strings, times as RFC 3339.
    Json,
}

/// Why a message became no dict.
pub enum Failure {
    Malformed,
    Python(PyErr),
}

impl From<Malformed> for Failure {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

type Names = Vec<Vec<Py<PyString>>>;

/// The names of all fields as Python strings, made once for each schema.
fn names(py: Python<'_>, schema: &'static Schema) -> &'static Names {
    static WANDB: PyOnceLock<Names> = PyOnceLock::new();
    static TENSORBOARD: PyOnceLock<Names> = PyOnceLock::new();
    let known = if std::ptr::eq(schema, Schema::wandb()) {
        &WANDB
    } else {
        &TENSORBOARD
    };
    known.get_or_init(py, || {
        let name = |field: &Field| PyString::intern(py, &field.name).unbind();
        let message = |message: &Message| message.fields.iter().map(name).collect();
        schema.messages.iter().map(message).collect()
    })
}

/// Turns messages into dicts.
pub struct Converter<'py> {
    py: Python<'py>,
    schema: &'static Schema,
    names: &'static Names,
    style: Style,
    /// Text that is no UTF-8 was replaced since this was last set to false.
    pub has_bad_text: bool,
}

impl<'py> Converter<'py> {
    pub fn new(py: Python<'py>, schema: &'static Schema, style: Style) -> Self {
        Self {
            py,
            schema,
            names: names(py, schema),
            style,
            has_bad_text: false,
        }
    }

    /// The fields of a message by name; unknown ones as lists under `#<number>`.
    pub fn message(&mut self, place: usize, bytes: &[u8]) -> Result<Bound<'py, PyDict>, Failure> {
        self.nested(place, bytes, DEPTH)
    }

    /// The unknown fields of a record, each by itself.
    pub fn strangers(&mut self, record: &[u8]) -> Result<Vec<(u32, Bound<'py, PyAny>)>, Failure> {
        let mut found = Vec::new();
        for field in Fields::new(record) {
            let (number, wire) = field?;
            if self.schema.messages[Schema::RECORD].place(number).is_none() {
                found.push((number, self.unknown(wire)?));
            }
        }
        Ok(found)
    }

    fn nested(
        &mut self,
        place: usize,
        bytes: &[u8],
        depth: usize,
    ) -> Result<Bound<'py, PyDict>, Failure> {
        let depth = depth.checked_sub(1).ok_or(Malformed)?;
        let dict = PyDict::new(self.py);
        let mut list: Option<(u32, Bound<'py, PyList>)> = None;
        // Each message once, however often it stands there: its parts end to end are one.
        let mut singles: Vec<(usize, Cow<'_, [u8]>)> = Vec::new();
        for part in Fields::new(bytes) {
            let (number, wire) = part?;
            let message = &self.schema.messages[place];
            let known = message.place(number).map(|at| (at, &message.fields[at]));
            let Some((at, field)) = known.filter(|(_, field)| fits(field, wire)) else {
                self.keep_unknown(&dict, number, wire)?;
                continue;
            };
            let name = self.names[place][at].bind(self.py);
            match (field.label, field.kind, wire) {
                (Label::Repeated, ..) => {
                    let items = match list.take().filter(|(last, _)| *last == number) {
                        Some((_, items)) => items,
                        None => self.list_at(&dict, name)?,
                    };
                    self.repeated(&items, field, wire, depth)?;
                    list = Some((number, items));
                }
                (Label::Map, Type::Message(entry), Wire::Bytes(bytes)) => {
                    self.map_entry(&dict, name, entry, bytes, depth)?;
                }
                (_, Type::Message(_), Wire::Bytes(part)) => {
                    match singles.iter_mut().find(|(known, _)| *known == at) {
                        Some((_, parts)) => parts.to_mut().extend_from_slice(part),
                        None => {
                            dict.set_item(name, self.py.None())?; // its place among the others
                            singles.push((at, Cow::Borrowed(part)));
                        }
                    }
                }
                (Label::Plain, ..) if is_zero(field.kind, wire) => {
                    if dict.contains(name)? {
                        dict.del_item(name)?;
                    }
                }
                _ => dict.set_item(name, self.value(field.kind, wire, depth)?)?,
            }
        }
        for (at, parts) in singles {
            let field = &self.schema.messages[place].fields[at];
            if let Type::Message(inner) = field.kind {
                let name = self.names[place][at].bind(self.py);
                dict.set_item(name, self.nested(inner, &parts, depth)?)?;
            }
        }
        Ok(dict)
    }

    fn list_at(
        &self,
        dict: &Bound<'py, PyDict>,
        name: &Bound<'py, PyString>,
    ) -> Result<Bound<'py, PyList>, PyErr> {
        if let Some(list) = dict.get_item(name)? {
            return Ok(list.cast_into::<PyList>()?);
        }
        let list = PyList::empty(self.py);
        dict.set_item(name, &list)?;
        Ok(list)
    }

    fn repeated(
        &mut self,
        items: &Bound<'py, PyList>,
        field: &Field,
        wire: Wire<'_>,
        depth: usize,
    ) -> Result<(), Failure> {
        let Wire::Bytes(packed) = wire else {
            return Ok(items.append(self.value(field.kind, wire, depth)?)?);
        };
        if matches!(
            field.kind,
            Type::String | Type::Bytes | Type::Message(_) | Type::Timestamp
        ) {
            return Ok(items.append(self.value(field.kind, wire, depth)?)?);
        }
        let mut rest = packed;
        while !rest.is_empty() {
            let wire = unpack(field.kind, &mut rest)?;
            items.append(self.value(field.kind, wire, depth)?)?;
        }
        Ok(())
    }

    fn map_entry(
        &mut self,
        dict: &Bound<'py, PyDict>,
        name: &Bound<'py, PyString>,
        entry: usize,
        bytes: &[u8],
        depth: usize,
    ) -> Result<(), Failure> {
        let entry_dict = self.nested(entry, bytes, depth)?;
        let map = match dict.get_item(name)? {
            Some(map) => map.cast_into::<PyDict>().map_err(PyErr::from)?,
            None => {
                let map = PyDict::new(self.py);
                dict.set_item(name, &map)?;
                map
            }
        };
        let missing = || match self.schema.messages[entry].fields[1].kind {
            Type::String => "".into_bound_py_any(self.py),
            _ => Ok(PyDict::new(self.py).into_any()),
        };
        let key = entry_dict
            .get_item("key")?
            .map_or_else(|| "".into_bound_py_any(self.py), Ok)?;
        let value = entry_dict.get_item("value")?.map_or_else(missing, Ok)?;
        Ok(map.set_item(key, value)?)
    }

    fn value(
        &mut self,
        kind: Type,
        wire: Wire<'_>,
        depth: usize,
    ) -> Result<Bound<'py, PyAny>, Failure> {
        let py = self.py;
        let is_json = self.style == Style::Json;
        Ok(match (kind, wire) {
            (Type::Message(inner), Wire::Bytes(bytes)) => {
                self.nested(inner, bytes, depth)?.into_any()
            }
            (Type::String, Wire::Bytes(bytes)) => self.text(bytes).into_any(),
            (Type::Bytes, Wire::Bytes(_)) => self.unknown(wire)?,
            (Type::Timestamp, Wire::Bytes(bytes)) => self.timestamp(bytes)?,
            (Type::Bool, Wire::Varint(truth)) => (truth != 0).into_bound_py_any(py)?,
            (Type::Null, _) => py.None().into_bound(py),
            (Type::Enum(number), Wire::Varint(value)) => {
                match self.schema.enums[number].get(&(value as i32)) {
                    Some(word) => word.into_bound_py_any(py)?,
                    None => (value as i32).into_bound_py_any(py)?,
                }
            }
            (Type::Int32, Wire::Varint(value)) => (value as i32).into_bound_py_any(py)?,
            (Type::Uint32, Wire::Varint(value)) => (value as u32).into_bound_py_any(py)?,
            (Type::Int64, Wire::Varint(value)) => whole(py, i128::from(value as i64), is_json)?,
            (Type::Sint64, Wire::Varint(value)) => whole(py, i128::from(zigzag(value)), is_json)?,
            (Type::Uint64, Wire::Varint(value)) => whole(py, i128::from(value), is_json)?,
            (Type::Double, Wire::Fixed64(bits)) => real(py, f64::from_bits(bits), is_json)?,
            (Type::Float, Wire::Fixed32(bits)) => {
                // The shortest digits of the float, not those of the double it becomes.
                let short = f32::from_bits(bits);
                let double = fast_float2::parse(short.to_string()).unwrap_or(f64::from(short));
                real(py, double, is_json)?
            }
            (_, wire) => self.unknown(wire)?,
        })
    }

    fn text(&mut self, bytes: &[u8]) -> Bound<'py, PyString> {
        let text = String::from_utf8_lossy(bytes);
        self.has_bad_text |= matches!(text, Cow::Owned(_));
        PyString::new(self.py, &text)
    }

    fn timestamp(&mut self, bytes: &[u8]) -> Result<Bound<'py, PyAny>, Failure> {
        let (mut seconds, mut nanoseconds) = (0i64, 0i32);
        for field in Fields::new(bytes) {
            match field? {
                (1, Wire::Varint(value)) => seconds = value as i64,
                (2, Wire::Varint(value)) => nanoseconds = value as i32,
                _ => {}
            }
        }
        if self.style == Style::Json
            && let Some(text) = rfc3339(seconds, nanoseconds)
        {
            return Ok(text.into_bound_py_any(self.py)?);
        }
        let ns = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
        Ok(ns.into_bound_py_any(self.py)?)
    }

    fn keep_unknown(
        &self,
        dict: &Bound<'py, PyDict>,
        number: u32,
        wire: Wire<'_>,
    ) -> Result<(), Failure> {
        let name = PyString::new(self.py, &format!("#{number}"));
        Ok(self.list_at(dict, &name)?.append(self.unknown(wire)?)?)
    }

    fn unknown(&self, wire: Wire<'_>) -> Result<Bound<'py, PyAny>, Failure> {
        Ok(match wire {
            Wire::Varint(value) | Wire::Fixed64(value) => value.into_bound_py_any(self.py)?,
            Wire::Fixed32(value) => value.into_bound_py_any(self.py)?,
            Wire::Bytes(bytes) | Wire::Group(bytes) => match self.style {
                Style::Native => PyBytes::new(self.py, bytes).into_any(),
                Style::Json => base64(bytes).into_bound_py_any(self.py)?,
            },
        })
    }
}

fn whole(py: Python<'_>, value: i128, as_text: bool) -> PyResult<Bound<'_, PyAny>> {
    if as_text {
        return value.to_string().into_bound_py_any(py);
    }
    match i64::try_from(value) {
        Ok(small) => small.into_bound_py_any(py),
        Err(_) => value.into_bound_py_any(py),
    }
}

fn real(py: Python<'_>, value: f64, as_text: bool) -> PyResult<Bound<'_, PyAny>> {
    if as_text && !value.is_finite() {
        return crate::json::float(value).into_bound_py_any(py);
    }
    value.into_bound_py_any(py)
}

/// Whether a wire type can hold a field's values.
fn fits(field: &Field, wire: Wire<'_>) -> bool {
    let is_packed = field.label == Label::Repeated && matches!(wire, Wire::Bytes(_));
    is_packed
        || match field.kind {
            Type::Double => matches!(wire, Wire::Fixed64(_)),
            Type::Float => matches!(wire, Wire::Fixed32(_)),
            Type::String | Type::Bytes | Type::Timestamp | Type::Message(_) => {
                matches!(wire, Wire::Bytes(_))
            }
            _ => matches!(wire, Wire::Varint(_)),
        }
}

fn is_zero(kind: Type, wire: Wire<'_>) -> bool {
    match wire {
        Wire::Varint(value) | Wire::Fixed64(value) => value == 0,
        Wire::Fixed32(value) => value == 0,
        Wire::Bytes(bytes) | Wire::Group(bytes) => {
            matches!(kind, Type::String | Type::Bytes) && bytes.is_empty()
        }
    }
}

/// One of the numbers that stand end to end.
fn unpack<'a>(kind: Type, rest: &mut &'a [u8]) -> Result<Wire<'a>, Malformed> {
    match kind {
        Type::Double => {
            let (bytes, tail) = rest.split_first_chunk().ok_or(Malformed)?;
            *rest = tail;
            Ok(Wire::Fixed64(u64::from_le_bytes(*bytes)))
        }
        Type::Float => {
            let (bytes, tail) = rest.split_first_chunk().ok_or(Malformed)?;
            *rest = tail;
            Ok(Wire::Fixed32(u32::from_le_bytes(*bytes)))
        }
        _ => Ok(Wire::Varint(varint(rest)?)),
    }
}
