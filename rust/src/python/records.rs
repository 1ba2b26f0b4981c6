//! Owns the record view: every record as a dict, by the conventions of protobuf's JSON, with lists of
//! items turned into mappings.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use crate::damage::{Damage, Reason};
use crate::protobuf::Fields;
use crate::python::arrow::{damage_rows, unreadable};
use crate::python::items::{ItemView, KeyStyle};
use crate::python::message::{Converter, Failure, Style};
use crate::python::schema::Schema;
use crate::python::wandb::{FORMAT, record_type};
use crate::unreadable::Unreadable;
use crate::wandb::record::{HISTORY, RecordParts, STATS, SUMMARY};
use crate::wandb::{Start, open_log};

const CONFIG: u32 = 5;

/// The lists of items: record type, field, name.
const ITEM_LISTS: [(u32, u32, &str); 6] = [
    (HISTORY, 1, "item"),
    (SUMMARY, 1, "update"),
    (SUMMARY, 2, "remove"),
    (CONFIG, 1, "update"),
    (CONFIG, 2, "remove"),
    (STATS, 3, "item"),
];

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
            ReadFailure::File(error) => unreadable(py, error, &spelled, &FORMAT),
            ReadFailure::Python(error) => error,
        })?;
    if let Some(list) = damage {
        for row in damage_rows(&view.damage) {
            list.append(row)?;
        }
    }
    Ok(view.lists)
}

/// Collecting garbage while only new objects are made would take most of the time.
///
/// The switch is the whole process's: of several that overlap the last one puts it back.
struct GcPause<'py>(Bound<'py, PyModule>);

/// How many pauses there are, and whether garbage was collected before the first of them. Only
/// touched by who holds the GIL; the calls between do not give it up.
static PAUSES: AtomicUsize = AtomicUsize::new(0);
static WAS_ENABLED: AtomicBool = AtomicBool::new(false);

impl<'py> GcPause<'py> {
    fn new(py: Python<'py>) -> PyResult<Self> {
        let gc = py.import("gc")?;
        if PAUSES.load(Ordering::SeqCst) == 0 {
            WAS_ENABLED.store(gc.call_method0("isenabled")?.extract()?, Ordering::SeqCst);
            gc.call_method0("disable")?;
        }
        PAUSES.fetch_add(1, Ordering::SeqCst);
        Ok(Self(gc))
    }
}

impl Drop for GcPause<'_> {
    fn drop(&mut self) {
        if PAUSES.fetch_sub(1, Ordering::SeqCst) == 1 && WAS_ENABLED.load(Ordering::SeqCst) {
            // Nowhere to report to; collection staying off is a matter of memory, not of values.
            let _ = self.0.call_method0("enable");
        }
    }
}

enum ReadFailure {
    File(Unreadable),
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
            converter: Converter::new(py, Schema::wandb(), Style::Json),
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
