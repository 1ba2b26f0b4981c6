//! Owns what Python sees of the writer of ClearML's events.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;

use pyo3::prelude::*;

use crate::clearml::EventLines;
use crate::python::arrow::{table_error, taken};

/// Writes a new file of events, which is made with the first of them.
#[pyclass(module = "runferry._native")]
pub struct ClearmlEvents {
    lines: EventLines,
    path: PathBuf,
    file: Option<File>,
    packed: Option<File>,
    sum: crc32fast::Hasher,
    sizes: (u64, u64),
}

#[pymethods]
impl ClearmlEvents {
    #[new]
    #[pyo3(signature = (path, *, packed=None, is_finite=false))]
    fn new(path: PathBuf, packed: Option<(PathBuf, u64)>, is_finite: bool) -> PyResult<Self> {
        Ok(Self {
            lines: EventLines::new(packed.is_some(), is_finite),
            path,
            file: None,
            packed: packed.map(opened_at).transpose()?,
            sum: crc32fast::Hasher::new(),
            sizes: (0, 0),
        })
    }

    /// Rows of `tables.POINTS`.
    fn points(
        &mut self,
        py: Python<'_>,
        batch: &Bound<'_, PyAny>,
        heads: Vec<String>,
    ) -> PyResult<()> {
        let batch = taken(batch)?.into();
        let mut rows = self.lines.rows(&batch, heads).map_err(table_error)?;
        py.detach(|| {
            while !rows.is_done() {
                self.lines.points(&mut rows);
                self.write_out()?;
            }
            Ok(())
        })
    }

    fn lines(&mut self, py: Python<'_>, text: &[u8], packed: &[u8]) -> PyResult<()> {
        py.detach(|| {
            self.lines.lines(text, packed);
            Ok(self.write_out()?)
        })
    }

    fn finish(&mut self, py: Python<'_>) -> PyResult<(u32, u64, u64)> {
        py.detach(|| {
            self.lines.finish();
            self.write_out()?;
            self.file = None;
            self.packed = None;
            Ok((self.sum.clone().finalize(), self.sizes.0, self.sizes.1))
        })
    }

    #[getter]
    fn counts(&self) -> (u64, u64) {
        self.lines.counts
    }
}

impl ClearmlEvents {
    fn write_out(&mut self) -> io::Result<()> {
        let text = &self.lines.text;
        if !text.is_empty() {
            let file = match &mut self.file {
                Some(file) => file,
                none => none.insert(
                    OpenOptions::new()
                        .append(true)
                        .create(true)
                        .open(&self.path)?,
                ),
            };
            file.write_all(text)?;
            self.sum.update(text);
            self.sizes.0 += text.len() as u64;
        }
        if let (Some(file), Some(packer)) = (&mut self.packed, &self.lines.packer) {
            file.write_all(&packer.out)?;
            self.sizes.1 += packer.out.len() as u64;
        }
        self.lines.taken();
        Ok(())
    }
}

/// A file that is written from some place on.
fn opened_at((path, offset): (PathBuf, u64)) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    Ok(file)
}
