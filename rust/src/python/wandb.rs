//! Owns what Python sees of the `.wandb` decoder.

use std::fs::File;
use std::path::PathBuf;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::damage::{Damage, Reason};
use crate::leveldb::HEADER;
use crate::python::arrow::{ArrowTable, Format, damage_rows, opened, table, unreadable};
use crate::python::message::{Converter, Failure, Style};
use crate::python::schema::Schema;
use crate::wandb::OtherRecord;
use crate::wandb::{Batch, Scanner, Start};

pub const FORMAT: Format = Format {
    name: ".wandb",
    refusal: "not a .wandb file",
    head: 7,
    begins: "a run begins with :W&B",
};

/// What was decoded from some records.
#[pyclass(frozen, get_all, module = "runferry._native")]
pub struct WandbBatch {
    points: Option<Py<ArrowTable>>,
    values: Option<Py<ArrowTable>>,
    console: Option<Py<ArrowTable>>,
    series: Vec<(&'static str, Py<PyTuple>)>,
    records: Vec<(String, u64, Py<PyDict>)>,
    damage: Vec<(u64, u64, &'static str)>,
}

impl WandbBatch {
    fn new(py: Python<'_>, batch: Batch) -> PyResult<Self> {
        let mut damage = batch.damage;
        let records = other_records(py, &batch.records, &mut damage)?;
        damage.sort_by_key(|damage| damage.offset);
        let series = batch
            .series
            .iter()
            .map(|(stream, path)| Ok((stream.as_str(), PyTuple::new(py, path)?.unbind())));
        Ok(Self {
            points: table(py, batch.points)?,
            values: table(py, batch.values)?,
            console: table(py, batch.console)?,
            series: series.collect::<PyResult<_>>()?,
            records,
            damage: damage_rows(&damage),
        })
    }
}

type Record = (String, u64, Py<PyDict>);

fn other_records(
    py: Python<'_>,
    records: &[OtherRecord],
    damage: &mut Vec<Damage>,
) -> PyResult<Vec<Record>> {
    let mut converter = Converter::new(py, Schema::wandb(), Style::Native);
    let mut found = Vec::with_capacity(records.len());
    for record in records {
        converter.has_bad_text = false;
        let reason = match other_record(py, &mut converter, record, &mut found) {
            Ok(()) if converter.has_bad_text => Some(Reason::BadUtf8),
            Ok(()) => None,
            Err(Failure::Malformed) => Some(Reason::BadRecord),
            Err(Failure::Python(error)) => return Err(error),
        };
        if let Some(reason) = reason {
            let length = HEADER + record.bytes.len() as u64;
            damage.push(Damage {
                offset: record.offset,
                length,
                reason,
            });
        }
    }
    Ok(found)
}

fn other_record(
    py: Python<'_>,
    converter: &mut Converter<'_>,
    record: &OtherRecord,
    found: &mut Vec<Record>,
) -> Result<(), Failure> {
    if let Some((name, place)) = record_type(record.number) {
        let message = converter.message(place, &record.bytes)?;
        found.push((name.to_owned(), record.offset, message.unbind()));
        return Ok(());
    }
    let strangers = converter.strangers(&record.bytes)?;
    if strangers.is_empty() {
        let message = converter.message(Schema::RECORD, &record.bytes)?;
        found.push(("unknown".to_owned(), record.offset, message.unbind()));
    }
    for (number, value) in strangers {
        let name = format!("#{number}");
        let message = PyDict::new(py);
        message.set_item(&name, value)?;
        found.push((name, record.offset, message.unbind()));
    }
    Ok(())
}

/// A record type's name and the place of its message.
pub fn record_type(number: u32) -> Option<(&'static str, usize)> {
    let schema = Schema::wandb();
    let record = &schema.messages[Schema::RECORD];
    let field = &record.fields[record.place(number.max(1))?];
    match field.kind {
        crate::python::schema::Type::Message(place) if number > 1 => Some((&field.name, place)),
        _ => None,
    }
}

/// Reads a `.wandb` file batch by batch.
#[pyclass(module = "runferry._native")]
pub struct WandbScanner {
    scanner: Scanner<File>,
    path: String,
}

#[pymethods]
impl WandbScanner {
    #[new]
    #[pyo3(
        signature = (path, *, offset=0, origin=-1, seq=0, rows=65536, any_version=false),
        text_signature = "(path, *, offset=0, origin=-1, seq=0, rows=65536, any_version=False)"
    )]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        offset: u64,
        origin: i64,
        seq: i64,
        rows: usize,
        any_version: bool,
    ) -> PyResult<Self> {
        let origin = match origin {
            -1 => None,
            0 => Some(0),
            7 => Some(HEADER),
            _ => return Err(PyValueError::new_err("origin is 0, 7, or -1 to find out")),
        };
        let start = Start {
            offset,
            origin,
            seq,
            any_version,
        };
        let scan = |file| Scanner::new(file, &start, rows);
        let (scanner, path) = opened(py, &path, &FORMAT, scan)?;
        Ok(Self { scanner, path })
    }

    fn next(&mut self, py: Python<'_>) -> PyResult<Option<WandbBatch>> {
        let scanner = &mut self.scanner;
        let batch = py.detach(|| scanner.next_batch());
        let batch = batch.map_err(|error| unreadable(py, error, &self.path, &FORMAT))?;
        batch.map(|batch| WandbBatch::new(py, batch)).transpose()
    }

    fn summary<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<Vec<(Bound<'py, PyTuple>, Option<String>)>> {
        let values = self.scanner.summary().into_iter();
        values
            .map(|(path, json)| Ok((PyTuple::new(py, path)?, json)))
            .collect()
    }

    #[getter]
    fn offset(&self) -> u64 {
        self.scanner.offset()
    }

    #[getter]
    fn origin(&self) -> i64 {
        self.scanner.origin().map_or(-1, |origin| origin as i64)
    }

    #[getter]
    fn seq(&self) -> i64 {
        self.scanner.seq()
    }
}
