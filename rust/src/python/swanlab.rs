//! Owns what Python sees of the decoder and the writer of `.swanlab` files.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use arrow_array::RecordBatch;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::damage::Damage;
use crate::leveldb::LogReader;
use crate::python::arrow::{
    ArrowTable, Format, damage_rows, opened, table, table_error, taken, unreadable,
};
use crate::python::os_error::{os_error, os_error_at};
use crate::swanlab::encoder::RunLog;
use crate::swanlab::{Batch, Group, Scanner, Start, number_of};

/// Bytes that may wait before they are written.
const ENOUGH: usize = 1 << 20;

const FORMAT: Format = Format {
    name: ".swanlab",
    refusal: "not a .swanlab file",
    head: 7,
    begins: "a run begins with :SWL",
};

/// What was decoded from some records.
#[pyclass(frozen, get_all, module = "runferry._native")]
pub struct SwanlabBatch {
    points: Option<Py<ArrowTable>>,
    console: Option<Py<ArrowTable>>,
    series: Vec<String>,
    records: Vec<(u32, u64, i64, Py<PyBytes>)>,
    damage: Vec<(u64, u64, &'static str)>,
}

impl SwanlabBatch {
    fn new(py: Python<'_>, batch: Batch) -> PyResult<Self> {
        let records = batch.records.iter().map(|record| {
            let bytes = PyBytes::new(py, &record.bytes).unbind();
            (record.number, record.offset, record.seq, bytes)
        });
        Ok(Self {
            points: table(py, batch.points)?,
            console: table(py, batch.console)?,
            series: batch.series,
            records: records.collect(),
            damage: damage_rows(&batch.damage),
        })
    }
}

/// Records that were left, and places that were damaged: offset, length, reason.
type Copied = (Vec<Py<PyBytes>>, Vec<(u64, u64, &'static str)>);

type GroupTuple = (i64, Option<i64>, i64, Vec<String>);

/// Reads a `.swanlab` file batch by batch.
#[pyclass(module = "runferry._native")]
pub struct SwanlabScanner {
    scanner: Scanner<File>,
    path: String,
}

#[pymethods]
impl SwanlabScanner {
    #[new]
    #[pyo3(
        signature = (path, *, offset=0, seq=0, group=None, rows=65536),
        text_signature = "(path, *, offset=0, seq=0, group=None, rows=65536)"
    )]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        offset: u64,
        seq: i64,
        group: Option<GroupTuple>,
        rows: usize,
    ) -> PyResult<Self> {
        let group = group.map(|(step, time_ns, seq, keys)| Group {
            step,
            time_ns,
            seq,
            keys,
        });
        let start = Start { offset, seq, group };
        let scan = |file| Scanner::new(file, &start, rows);
        let (scanner, path) = opened(py, &path, &FORMAT, scan)?;
        Ok(Self { scanner, path })
    }

    fn next(&mut self, py: Python<'_>) -> PyResult<Option<SwanlabBatch>> {
        let scanner = &mut self.scanner;
        let batch = py.detach(|| scanner.next_batch());
        let batch = batch.map_err(|error| unreadable(py, error, &self.path, &FORMAT))?;
        batch.map(|batch| SwanlabBatch::new(py, batch)).transpose()
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
    fn version(&self) -> u8 {
        self.scanner.version
    }

    #[getter]
    fn group(&self) -> Option<GroupTuple> {
        let group = self.scanner.group()?;
        Some((group.step, group.time_ns, group.seq, group.keys))
    }
}

/// Writes a new file from its beginning to its end.
#[pyclass(module = "runferry._native")]
pub struct SwanlabLog {
    log: RunLog,
    file: File,
}

#[pymethods]
impl SwanlabLog {
    #[new]
    #[pyo3(signature = (path, *, started_ns))]
    fn new(path: PathBuf, started_ns: i64) -> PyResult<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| os_error_at(path, &error))?;
        let log = RunLog::new(started_ns);
        Ok(Self { log, file })
    }

    fn declare(&mut self, key: &str, name: &str) {
        self.log.declare(key, name);
    }

    fn step(&mut self, key: &str, step: Option<i64>) -> Option<i64> {
        self.log.step(key, step)
    }

    /// Rows of `tables.POINTS`.
    fn points(&mut self, py: Python<'_>, batch: &Bound<'_, PyAny>) -> PyResult<()> {
        let batch: RecordBatch = taken(batch)?.into();
        let put = py.detach(|| self.log.points(&batch));
        put.map_err(table_error)?;
        self.write_if_enough(py)
    }

    /// Rows of `tables.CONSOLE`.
    fn console(&mut self, py: Python<'_>, batch: &Bound<'_, PyAny>) -> PyResult<()> {
        let batch: RecordBatch = taken(batch)?.into();
        let put = py.detach(|| self.log.console(&batch));
        put.map_err(table_error)?;
        self.write_if_enough(py)
    }

    #[pyo3(signature = (number, message, *, num=None, time_ns=None))]
    fn record(
        &mut self,
        py: Python<'_>,
        number: u32,
        message: &[u8],
        num: Option<i64>,
        time_ns: Option<i64>,
    ) -> PyResult<()> {
        self.log.record(num, time_ns, number, message);
        self.write_if_enough(py)
    }

    /// The whole records of another log; those of these types are given back, with what of the
    /// log is damaged and so is not here.
    #[pyo3(signature = (path, *, without, renumber=false))]
    fn copy(
        &mut self,
        py: Python<'_>,
        path: PathBuf,
        without: Vec<u32>,
        renumber: bool,
    ) -> PyResult<Copied> {
        let source = File::open(&path).map_err(|error| os_error_at(path, &error))?;
        let copied = py.detach(|| self.copy_from(source, &without, renumber));
        let (left, damage) = copied.map_err(os_error)?;
        let left = left.iter().map(|it| PyBytes::new(py, it).unbind());
        Ok((left.collect(), damage_rows(&damage)))
    }

    /// A record that `copy` gave back.
    fn copied(&mut self, py: Python<'_>, payload: &[u8]) -> PyResult<()> {
        self.log.copied(payload, false);
        self.write_if_enough(py)
    }

    fn flush(&mut self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.write_out()).map_err(os_error)
    }

    #[getter]
    fn counts(&self) -> (u64, u64, u64) {
        self.log.counts()
    }
}

impl SwanlabLog {
    fn write_if_enough(&mut self, py: Python<'_>) -> PyResult<()> {
        if self.log.log.out.len() >= ENOUGH {
            self.flush(py)?;
        }
        Ok(())
    }

    fn copy_from(
        &mut self,
        source: File,
        without: &[u32],
        renumber: bool,
    ) -> io::Result<(Vec<Vec<u8>>, Vec<Damage>)> {
        let size = source.metadata()?.len();
        let mut records = LogReader::new(source, 0, size, Some(0));
        let mut left = Vec::new();
        while let Some(frame) = records.next_record()? {
            if number_of(frame.payload).is_some_and(|number| without.contains(&number)) {
                left.push(frame.payload.to_vec());
                continue;
            }
            self.log.copied(frame.payload, renumber);
            if self.log.log.out.len() >= ENOUGH {
                self.write_out()?;
            }
        }
        let damage = records.take_damage();
        Ok((left, damage))
    }

    fn write_out(&mut self) -> io::Result<()> {
        self.file.write_all(&self.log.log.out)?;
        self.log.log.out.clear();
        Ok(())
    }
}
