//! Owns what Python sees of the writer of `.wandb` files.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use arrow_array::RecordBatch;
use pyo3::prelude::*;

use crate::python::arrow::{table_error, taken};
use crate::python::os_error::{os_error, os_error_at};
use crate::tables::Error;
use crate::wandb::encoder::{RunLog, Table};
use crate::wandb::sink::Stream;

/// Bytes that may wait before they are written.
const ENOUGH: usize = 1 << 20;

/// Writes a new file from its beginning to its end.
#[pyclass(module = "runferry._native")]
pub struct WandbLog {
    log: RunLog,
    file: File,
}

#[pymethods]
impl WandbLog {
    #[new]
    #[pyo3(signature = (path, *, started_ns, longest_row=None))]
    fn new(path: PathBuf, started_ns: Option<i64>, longest_row: Option<usize>) -> PyResult<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| os_error_at(path, &error))?;
        Ok(Self {
            log: RunLog::new(started_ns, longest_row),
            file,
        })
    }

    fn declare(&mut self, key: &str, path: Vec<String>, is_system: bool) {
        let stream = if is_system {
            Stream::System
        } else {
            Stream::User
        };
        self.log.declare(key, &path, stream);
    }

    /// Rows of `tables.POINTS`.
    fn points(&mut self, py: Python<'_>, batch: &Bound<'_, PyAny>) -> PyResult<()> {
        self.rows(py, Table::Points, batch)
    }

    /// Rows of `tables.TEXTS`.
    fn texts(&mut self, py: Python<'_>, batch: &Bound<'_, PyAny>) -> PyResult<()> {
        self.rows(py, Table::Texts, batch)
    }

    /// Histograms as JSON.
    fn histograms(&mut self, py: Python<'_>, batch: &Bound<'_, PyAny>) -> PyResult<()> {
        self.rows(py, Table::Histograms, batch)
    }

    /// Media as JSON.
    fn media(&mut self, py: Python<'_>, batch: &Bound<'_, PyAny>) -> PyResult<()> {
        self.rows(py, Table::Media, batch)
    }

    /// Rows of `tables.CONSOLE`.
    fn console(&mut self, py: Python<'_>, batch: &Bound<'_, PyAny>) -> PyResult<()> {
        let batch: RecordBatch = taken(batch)?.into();
        self.put(py, |log| log.console(&batch))
    }

    fn record(&mut self, py: Python<'_>, number: u32, message: &[u8]) -> PyResult<()> {
        self.put(py, |log| {
            log.record(number, message);
            Ok(())
        })
    }

    fn flush(&mut self, py: Python<'_>) -> PyResult<()> {
        self.put(py, |log| {
            log.finish_rows();
            Ok(())
        })?;
        py.detach(|| self.write_out()).map_err(os_error)
    }

    #[getter]
    fn counts(&self) -> (u64, u64) {
        self.log.counts()
    }

    #[getter]
    fn too_long(&self) -> BTreeMap<String, u64> {
        let found = self.log.too_long();
        found.map(|(key, count)| (key.to_owned(), count)).collect()
    }
}

impl WandbLog {
    fn rows(&mut self, py: Python<'_>, table: Table, batch: &Bound<'_, PyAny>) -> PyResult<()> {
        let batch: RecordBatch = taken(batch)?.into();
        self.put(py, |log| log.rows(table, &batch))
    }

    fn put(
        &mut self,
        py: Python<'_>,
        some: impl FnOnce(&mut RunLog) -> Result<(), Error> + Send,
    ) -> PyResult<()> {
        let done: Result<io::Result<()>, Error> = py.detach(|| {
            some(&mut self.log)?;
            if self.log.log.out.len() < ENOUGH {
                return Ok(Ok(()));
            }
            Ok(self.write_out())
        });
        done.map_err(table_error)?.map_err(os_error)
    }

    fn write_out(&mut self) -> io::Result<()> {
        self.file.write_all(&self.log.log.out)?;
        self.log.log.out.clear();
        Ok(())
    }
}
