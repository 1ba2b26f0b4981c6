//! Owns what Python sees of the writer of event files.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::python::arrow::{table_error, taken};
use crate::python::os_error::{os_error, os_error_at};
use crate::tensorboard::encoder::{Error, EventEncoder, Facts, HistogramRows, PointRows, TextRows};
use crate::tensorboard::marks::{marks, own_value};
use crate::tfrecord::WholeRecords;

/// Bytes that may wait before they are written.
const ENOUGH: usize = 1 << 20;

/// Appends events to a file.
#[pyclass(module = "runferry._native")]
pub struct EventWriter {
    encoder: EventEncoder,
    file: File,
    /// Where what waits in the encoder will stand.
    offset: u64,
}

#[pymethods]
impl EventWriter {
    #[new]
    #[pyo3(signature = (path, *, offset, tags, doubles))]
    fn new(
        path: PathBuf,
        offset: u64,
        tags: HashMap<String, String>,
        doubles: bool,
    ) -> PyResult<Self> {
        let file = opened_at(&path, offset).map_err(|error| os_error_at(path, &error))?;
        Ok(Self {
            encoder: EventEncoder::new(tags, doubles),
            file,
            offset,
        })
    }

    /// Rows of `tables.POINTS`.
    fn points(&mut self, py: Python<'_>, batch: &Bound<'_, PyAny>) -> PyResult<()> {
        let batch = taken(batch)?.into();
        let mut rows = PointRows::new(&batch).map_err(table_error)?;
        self.put(py, |encoder| encoder.points(&mut rows, ENOUGH))
    }

    /// Rows of `tables.TEXTS`.
    fn texts(&mut self, py: Python<'_>, batch: &Bound<'_, PyAny>) -> PyResult<()> {
        let batch = taken(batch)?.into();
        let mut rows = TextRows::new(&batch).map_err(table_error)?;
        self.put(py, |encoder| encoder.texts(&mut rows, ENOUGH))
    }

    /// Rows of `tables.HISTOGRAMS`.
    fn histograms(&mut self, py: Python<'_>, batch: &Bound<'_, PyAny>) -> PyResult<()> {
        let batch = taken(batch)?.into();
        let mut rows = HistogramRows::new(&batch).map_err(table_error)?;
        self.put(py, |encoder| encoder.histograms(&mut rows, ENOUGH))
    }

    /// One event that is spelled already; where its payload stands in the file.
    fn event(&mut self, py: Python<'_>, payload: &[u8]) -> PyResult<u64> {
        let at = self.offset + self.encoder.event(payload) as u64;
        if self.encoder.out.len() >= ENOUGH {
            self.flush(py)?;
        }
        Ok(at)
    }

    fn tag(&mut self, key: &str, plugin: &str) -> (String, bool) {
        self.encoder.tags.tag_of(key, plugin)
    }

    fn describe(&mut self, tag: String, content: Vec<u8>, facts: Vec<u8>, shape: Vec<u64>) {
        let facts = Facts {
            content,
            facts,
            shape,
        };
        self.encoder.tags.describe(tag, facts);
    }

    fn flush(&mut self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.write_out()).map_err(os_error)
    }

    #[getter]
    fn offset(&self) -> u64 {
        self.offset + self.encoder.out.len() as u64
    }
}

/// To append behind this place; what stands there goes.
fn opened_at(path: &Path, offset: u64) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    if file.metadata()?.len() > offset {
        file.set_len(offset)?;
    }
    file.seek(SeekFrom::Start(offset))?;
    Ok(file)
}

impl EventWriter {
    fn put(
        &mut self,
        py: Python<'_>,
        mut some: impl FnMut(&mut EventEncoder) -> Result<bool, Error> + Send,
    ) -> PyResult<()> {
        let done: Result<io::Result<()>, Error> = py.detach(|| {
            while some(&mut self.encoder)? {
                if let Err(error) = self.write_out() {
                    return Ok(Err(error));
                }
            }
            Ok(Ok(()))
        });
        done.map_err(table_error)?.map_err(os_error)
    }

    fn write_out(&mut self) -> io::Result<()> {
        self.file.write_all(&self.encoder.out)?;
        self.offset += self.encoder.out.len() as u64;
        self.encoder.out.clear();
        Ok(())
    }
}

/// What an event file of ours says of itself, as far as its records are whole.
#[pyclass(frozen, get_all, module = "runferry._native")]
pub struct EventMarks {
    offset: u64,
    marks: Vec<(String, u64, Option<Vec<u8>>)>,
    tags: Vec<(String, String, u64)>,
}

#[pymethods]
impl EventMarks {
    #[new]
    fn new(py: Python<'_>, path: PathBuf, wanted: Vec<String>) -> PyResult<Self> {
        py.detach(|| {
            let file = File::open(path)?;
            let size = file.metadata()?.len();
            let mut records = WholeRecords::new(BufReader::with_capacity(ENOUGH, file), 0, size);
            let found = marks(&mut records, &wanted)?;
            let marks = found.marks.into_iter();
            Ok(Self {
                offset: records.offset(),
                marks: marks.map(|mark| (mark.tag, mark.end, mark.json)).collect(),
                tags: found.tags,
            })
        })
    }
}

/// Tag and content of a record of ours, and where the next record begins.
type Said<'py> = (Option<String>, Bound<'py, PyBytes>, u64);

/// What the whole record that begins here says, if it is one of ours, and where the next one begins.
#[pyfunction]
pub fn event_record<'py>(
    py: Python<'py>,
    path: PathBuf,
    offset: u64,
) -> PyResult<Option<Said<'py>>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(offset))?;
    let mut records = WholeRecords::new(file, offset, size);
    let said = records
        .next_record()?
        .map(|payload| match own_value(payload) {
            Some((tag, content)) => (Some(tag), PyBytes::new(py, &content)),
            None => (None, PyBytes::new(py, &[])),
        });
    Ok(said.map(|(tag, content)| (tag, content, records.offset())))
}
