//! Owns what Python sees of the decoder of event files.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyMapping};

use crate::damage::{Damage, Reason};
use crate::python::arrow::{ArrowTable, Format, damage_rows, opened, table, unreadable};
use crate::python::message::{Converter, Failure, Style};
use crate::python::schema::Schema;
use crate::tensorboard::{Batch, Message, OtherRecord, Scanner, SeriesName};

const FORMAT: Format = Format {
    name: "event file",
    refusal: "no event file",
    head: 64,
    begins: "brain.Event:2 stands at its beginning",
};

type Record = (&'static str, u64, i64, Option<i64>, Py<PyDict>);

/// What was decoded from some events.
#[pyclass(frozen, get_all, module = "runferry._native")]
pub struct EventBatch {
    points: Option<Py<ArrowTable>>,
    texts: Option<Py<ArrowTable>>,
    histograms: Option<Py<ArrowTable>>,
    media: Option<Py<ArrowTable>>,
    series: Vec<(String, String, Py<PyDict>)>,
    records: Vec<Record>,
    damage: Vec<(u64, u64, &'static str)>,
}

impl EventBatch {
    fn new(py: Python<'_>, batch: Batch) -> PyResult<Self> {
        let mut damage = batch.damage;
        let records = records(py, &batch.records, &mut damage)?;
        damage.sort_by_key(|damage| damage.offset);
        let series = batch.series.iter().map(|name| series(py, name));
        Ok(Self {
            points: table(py, batch.points)?,
            texts: table(py, batch.texts)?,
            histograms: table(py, batch.histograms)?,
            media: table(py, batch.media)?,
            series: series.collect::<PyResult<_>>()?,
            records,
            damage: damage_rows(&damage),
        })
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn series(py: Python<'_>, name: &SeriesName) -> PyResult<(String, String, Py<PyDict>)> {
    let facts = PyDict::new(py);
    if !name.display_name.is_empty() {
        facts.set_item("display_name", text(&name.display_name))?;
    }
    if !name.description.is_empty() {
        facts.set_item("description", text(&name.description))?;
    }
    if !name.node_name.is_empty() {
        facts.set_item("node_name", text(&name.node_name))?;
    }
    if name.data_class != 0 {
        facts.set_item("data_class", name.data_class)?;
    }
    if !name.text_shape.is_empty() {
        facts.set_item("shape", &name.text_shape)?;
    }
    if !name.content.is_empty() {
        facts.set_item("content", PyBytes::new(py, &name.content))?;
    }
    Ok((text(&name.tag), text(&name.plugin), facts.unbind()))
}

fn records(
    py: Python<'_>,
    records: &[OtherRecord],
    damage: &mut Vec<Damage>,
) -> PyResult<Vec<Record>> {
    let mut converter = Converter::new(py, Schema::tensorboard(), Style::Native);
    let mut found = Vec::with_capacity(records.len());
    for record in records {
        converter.has_bad_text = false;
        let reason = match message(py, &mut converter, record) {
            Ok(message) => {
                let place = (record.offset, record.seq, record.time);
                found.push((record.name, place.0, place.1, place.2, message.unbind()));
                converter.has_bad_text.then_some(Reason::BadUtf8)
            }
            Err(Failure::Malformed) => {
                let message = malformed(py, record)?.unbind();
                found.push(("unknown", record.offset, record.seq, record.time, message));
                Some(Reason::BadRecord)
            }
            Err(Failure::Python(error)) => return Err(error),
        };
        damage.extend(reason.map(|reason| Damage {
            offset: record.offset,
            length: record.length,
            reason,
        }));
    }
    Ok(found)
}

/// A record whose message cannot be taken apart, as what it is: bytes.
fn malformed<'py>(py: Python<'py>, record: &OtherRecord) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    if let Message::Typed { step, event, .. } = &record.message {
        dict.set_item("tag", "")?;
        dict.set_item("plugin", record.name)?;
        dict.set_item("step", step.unwrap_or(0))?;
        dict.set_item("event", PyBytes::new(py, event))?;
    }
    Ok(dict)
}

fn message<'py>(
    py: Python<'py>,
    converter: &mut Converter<'py>,
    record: &OtherRecord,
) -> Result<Bound<'py, PyDict>, Failure> {
    let dict = match &record.message {
        Message::Typed { bytes, step, event } => {
            let place = Schema::tensorboard().message_of(record.name);
            let dict = converter.message(place.unwrap_or(Schema::RECORD), bytes)?;
            if let Some(step) = step {
                dict.set_item("step", step)?;
            }
            if matches!(record.name, "session_log" | "log_message") {
                dict.set_item("event", PyBytes::new(py, event))?;
            }
            dict
        }
        Message::Version(version) => {
            let dict = PyDict::new(py);
            dict.set_item("file_version", text(version))?;
            dict
        }
        Message::Runferry { tag, json } => {
            let dict = PyDict::new(py);
            dict.set_item("tag", text(tag))?;
            dict.set_item("json", PyBytes::new(py, json))?;
            dict
        }
        Message::Unknown {
            tag,
            plugin,
            step,
            event,
        } => {
            let dict = PyDict::new(py);
            dict.set_item("tag", text(tag))?;
            dict.set_item("plugin", text(plugin))?;
            dict.set_item("step", step)?;
            dict.set_item("event", PyBytes::new(py, event))?;
            dict
        }
    };
    Ok(dict)
}

/// Reads an event file batch by batch.
#[pyclass(module = "runferry._native")]
pub struct EventScanner {
    scanner: Scanner<File>,
    path: String,
}

#[pymethods]
impl EventScanner {
    #[new]
    #[pyo3(
        signature = (path, *, offset=0, seq=0, rows=65536, plugins=None),
        text_signature = "(path, *, offset=0, seq=0, rows=65536, plugins=None)"
    )]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        offset: u64,
        seq: i64,
        rows: usize,
        plugins: Option<Bound<'_, PyMapping>>,
    ) -> PyResult<Self> {
        let items = plugins.map(|plugins| plugins.items()).transpose()?;
        let plugins: Vec<(String, String)> = items.map_or(Ok(Vec::new()), |items| {
            items
                .extract()
                .map_err(|_| PyTypeError::new_err("plugins is a mapping of tags to names"))
        })?;
        let scan = |file| Scanner::new(file, offset, seq, rows, &plugins);
        let (scanner, path) = opened(py, &path, &FORMAT, scan)?;
        Ok(Self { scanner, path })
    }

    fn next(&mut self, py: Python<'_>) -> PyResult<Option<EventBatch>> {
        let scanner = &mut self.scanner;
        let batch = py.detach(|| scanner.next_batch());
        let batch = batch.map_err(|error| unreadable(py, error, &self.path, &FORMAT))?;
        batch.map(|batch| EventBatch::new(py, batch)).transpose()
    }

    #[getter]
    fn offset(&self) -> u64 {
        self.scanner.offset()
    }

    #[getter]
    fn seq(&self) -> i64 {
        self.scanner.seq()
    }

    #[getter]
    fn plugins(&self) -> HashMap<String, String> {
        let plugins = self.scanner.plugins().into_iter();
        plugins
            .map(|(tag, plugin)| (text(&tag), text(&plugin)))
            .collect()
    }
}
