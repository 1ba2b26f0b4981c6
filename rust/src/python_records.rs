//! Owns the record view: every record as a dict, by the conventions of protobuf's JSON, with lists of
//! items turned into mappings.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::PathBuf;

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyList, PyString, PyTuple};

use crate::json_text::{self, Scalar};
use crate::leveldb_log::{Damage, Reason};
use crate::protobuf::Fields;
use crate::python_message::{Converter, Failure, Style};
use crate::python_wandb::{record_type, to_python};
use crate::wandb::{CONFIG, Error, HISTORY, RecordParts, STATS, SUMMARY, Start, open_log};
use crate::wandb_keys::{ItemValue, Keys};
use crate::wandb_schema::Schema;

/// The lists of items: record type, field, name.
const ITEM_LISTS: [(u32, u32, &str); 6] = [
    (HISTORY, 1, "item"),
    (SUMMARY, 1, "update"),
    (SUMMARY, 2, "remove"),
    (CONFIG, 1, "update"),
    (CONFIG, 2, "remove"),
    (STATS, 3, "item"),
];

/// How keys look in mappings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyStyle {
    /// Joined by `/`, but for those that would fall on one another.
    Joined,
    /// Always tuples.
    Path,
}

/// The records of a `.wandb` file, one list for each record type.
#[pyfunction]
#[pyo3(signature = (path, *, keys="joined", damage=None, any_version=false))]
pub fn wandb_records<'py>(
    py: Python<'py>,
    path: PathBuf,
    keys: &str,
    damage: Option<Bound<'py, PyList>>,
    any_version: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let keys = match keys {
        "joined" => KeyStyle::Joined,
        "path" => KeyStyle::Path,
        _ => return Err(PyValueError::new_err("keys is \"joined\" or \"path\"")),
    };
    let spelled = path.display().to_string();
    let start = Start {
        offset: 0,
        origin: None,
        seq: 0,
        any_version,
    };
    let mut view = RecordView::new(py, keys)?;
    let _pause = GcPause::new(py)?;
    view.read_all(&path, &start)
        .map_err(|failure| match failure {
            ReadFailure::File(error) => to_python(py, error, &spelled),
            ReadFailure::Python(error) => error,
        })?;
    if let Some(list) = damage {
        for damage in &view.damage {
            list.append((damage.offset, damage.length, damage.reason.as_str()))?;
        }
    }
    Ok(view.lists)
}

/// Collecting garbage while only new objects are made would take most of the time.
struct GcPause<'py>(Option<Bound<'py, PyModule>>);

impl<'py> GcPause<'py> {
    fn new(py: Python<'py>) -> PyResult<Self> {
        let gc = py.import("gc")?;
        if !gc.call_method0("isenabled")?.extract()? {
            return Ok(Self(None));
        }
        gc.call_method0("disable")?;
        Ok(Self(Some(gc)))
    }
}

impl Drop for GcPause<'_> {
    fn drop(&mut self) {
        if let Some(gc) = &self.0 {
            // Nowhere to report to; collection staying off is a matter of memory, not of values.
            let _ = gc.call_method0("enable");
        }
    }
}

enum ReadFailure {
    File(Error),
    Python(PyErr),
}

impl From<PyErr> for ReadFailure {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

struct RecordView<'py> {
    py: Python<'py>,
    converter: Converter<'py>,
    items: Vec<ItemView<'py>>,
    loads: Bound<'py, PyAny>,
    lists: Bound<'py, PyDict>,
    by_type: BTreeMap<u32, Bound<'py, PyList>>,
    damage: Vec<Damage>,
}

impl<'py> RecordView<'py> {
    fn new(py: Python<'py>, style: KeyStyle) -> PyResult<Self> {
        Ok(Self {
            py,
            converter: Converter::new(py, Style::Json),
            items: ITEM_LISTS.map(|_| ItemView::new(py, style)).into(),
            loads: py.import("json")?.getattr("loads")?,
            lists: PyDict::new(py),
            by_type: BTreeMap::new(),
            damage: Vec::new(),
        })
    }

    fn read_all(&mut self, path: &PathBuf, start: &Start) -> Result<(), ReadFailure> {
        let file = File::open(path).map_err(|error| ReadFailure::File(error.into()))?;
        let mut log = open_log(file, start).map_err(ReadFailure::File)?;
        while let Some(frame) = log.next_record().map_err(|e| ReadFailure::File(e.into()))? {
            self.converter.has_bad_text = false;
            let reason = match self.record(frame.payload) {
                Ok(()) if self.converter.has_bad_text => Reason::BadUtf8,
                Ok(()) => continue,
                Err(Failure::Malformed) => Reason::BadRecord,
                Err(Failure::Python(error)) => return Err(error.into()),
            };
            let (offset, length) = (frame.offset, frame.end - frame.offset);
            self.damage.push(Damage {
                offset,
                length,
                reason,
            });
        }
        self.damage.extend(log.take_damage());
        self.damage.sort_by_key(|damage| damage.offset);
        Ok(())
    }

    fn record(&mut self, record: &[u8]) -> Result<(), Failure> {
        let parts = RecordParts::of(record)?;
        let merged = parts.merged(record)?;
        let message = merged.as_deref().unwrap_or(parts.message);
        if let Some((name, place)) = record_type(parts.number) {
            let dict = self.message(parts.number, place, message)?;
            self.append(parts.number, name, dict.into_any())?;
        }
        let strangers = self.converter.strangers(record)?;
        if strangers.is_empty() && (parts.has_strangers || parts.number == 0) {
            let dict = self.converter.message(Schema::RECORD, record)?;
            self.append(0, "unknown", dict.into_any())?;
        }
        for (number, value) in strangers {
            self.append(number, &format!("#{number}"), value)?;
        }
        Ok(())
    }

    fn append(&mut self, number: u32, name: &str, dict: Bound<'py, PyAny>) -> PyResult<()> {
        let list = match self.by_type.get(&number) {
            Some(list) => list,
            None => {
                let list = PyList::empty(self.py);
                self.lists.set_item(name, &list)?;
                self.by_type.entry(number).or_insert(list)
            }
        };
        list.append(dict)
    }

    /// A message, the lists of items in it as mappings where that can be done.
    fn message(
        &mut self,
        number: u32,
        place: usize,
        message: &[u8],
    ) -> Result<Bound<'py, PyDict>, Failure> {
        let mut mappings = Vec::new();
        let mut taken = Vec::new();
        for (index, (record, field, name)) in ITEM_LISTS.iter().enumerate() {
            if *record == number
                && let Some(mapping) = self.items[index].mapping(message, *field, &self.loads)?
            {
                taken.push(*field);
                mappings.push((*name, mapping));
            }
        }
        if mappings.is_empty() {
            return self.converter.message(place, message);
        }
        let rest = without_fields(message, &taken)?;
        let dict = self.converter.message(place, &rest)?;
        for (name, mapping) in mappings {
            dict.set_item(PyString::intern(self.py, name), mapping)?;
        }
        Ok(dict)
    }
}

fn without_fields(message: &[u8], taken: &[u32]) -> Result<Vec<u8>, Failure> {
    let mut rest = Vec::new();
    let mut fields = Fields::new(message);
    let mut start = 0;
    while let Some(field) = fields.next() {
        let (number, _) = field?;
        let end = message.len() - fields.rest().len();
        if !taken.contains(&number) {
            rest.extend_from_slice(&message[start..end]);
        }
        start = end;
    }
    Ok(rest)
}

/// The keys of one list of items, as Python has them.
struct ItemView<'py> {
    py: Python<'py>,
    style: KeyStyle,
    keys: Keys,
    names: Vec<Name<'py>>,
}

struct Name<'py> {
    /// What stands in a mapping.
    shown: Bound<'py, PyAny>,
    path: Bound<'py, PyAny>,
}

impl<'py> ItemView<'py> {
    fn new(py: Python<'py>, style: KeyStyle) -> Self {
        Self {
            py,
            style,
            keys: Keys::default(),
            names: Vec::new(),
        }
    }

    /// The items of this field as one mapping; None if there are none, if one has no value or no
    /// JSON, or if one key stands there twice: then the list is shown as it is.
    fn mapping(
        &mut self,
        message: &[u8],
        number: u32,
        loads: &Bound<'py, PyAny>,
    ) -> Result<Option<Bound<'py, PyDict>>, Failure> {
        let dict = PyDict::new(self.py);
        let mut pairs = Vec::new();
        self.keys.begin_row();
        for field in Fields::new(message) {
            let (found, crate::protobuf::Wire::Bytes(item)) = field? else {
                continue;
            };
            if found != number {
                continue;
            }
            let item = self.keys.take(item)?;
            if item.slot == self.names.len() {
                self.add_name(item.slot)?;
            }
            let value = if item.is_odd {
                None
            } else {
                to_object(self.py, item.value, loads)?
            };
            let Some(value) = value else {
                return Ok(None);
            };
            dict.set_item(&self.names[item.slot].shown, &value)?;
            pairs.push((item.slot, value));
        }
        if pairs.is_empty() {
            return Ok(None);
        }
        if dict.len() == pairs.len() {
            Ok(Some(dict))
        } else {
            self.apart(&pairs)
        }
    }

    /// The same where joined keys collide: those stay tuples.
    fn apart(
        &self,
        pairs: &[(usize, Bound<'py, PyAny>)],
    ) -> Result<Option<Bound<'py, PyDict>>, Failure> {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for (slot, _) in pairs {
            *counts
                .entry(self.names[*slot].shown.to_string())
                .or_default() += 1;
        }
        let dict = PyDict::new(self.py);
        for (slot, value) in pairs {
            let name = &self.names[*slot];
            let is_alone = counts.get(&name.shown.to_string()) == Some(&1);
            dict.set_item(if is_alone { &name.shown } else { &name.path }, value)?;
        }
        Ok((dict.len() == pairs.len()).then_some(dict))
    }

    fn add_name(&mut self, slot: usize) -> PyResult<()> {
        let elements = self.keys.path(slot).into_iter();
        let path: Vec<_> = elements.map(String::from_utf8_lossy).collect();
        let joined = PyString::new(self.py, &path.join("/")).into_any();
        let path = PyTuple::new(self.py, path)?.into_any();
        let shown = if self.style == KeyStyle::Path {
            path.clone()
        } else {
            joined
        };
        self.names.push(Name { shown, path });
        Ok(())
    }
}

/// A value as a Python object; None if it is missing or no JSON.
fn to_object<'py>(
    py: Python<'py>,
    value: ItemValue<'_>,
    loads: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let scalar = match value {
        ItemValue::Json(json) => json_text::scalar(json),
        ItemValue::Null => Scalar::Null,
        ItemValue::Bool(value) => Scalar::Bool(value),
        ItemValue::Int(value) => Scalar::Int(value),
        ItemValue::Number(value) => Scalar::Float(value),
        ItemValue::Text(text) => {
            return Ok(Some(
                PyString::new(py, &String::from_utf8_lossy(text)).into_any(),
            ));
        }
        ItemValue::Missing => return Ok(None),
    };
    Ok(Some(match (scalar, value) {
        (Scalar::Float(value), _) => PyFloat::new(py, value).into_any(),
        (Scalar::Int(value), _) => value.into_bound_py_any(py)?,
        (Scalar::Bool(value), _) => value.into_bound_py_any(py)?,
        (Scalar::Null, _) => py.None().into_bound(py),
        (_, ItemValue::Json(json)) => match loads.call1((String::from_utf8_lossy(json),)) {
            Ok(object) => object,
            Err(error) if error.is_instance_of::<PyValueError>(py) => return Ok(None),
            Err(error) => return Err(error),
        },
        _ => return Ok(None),
    }))
}
