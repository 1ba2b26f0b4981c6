//! Owns what Python sees of the writer of ClearML's events.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use pyo3::prelude::*;

use crate::clearml::EventLines;
use crate::python::arrow::{table_error, taken};

/// Bytes that are written before they are synced, while the next ones are made.
const MUCH: usize = 32 << 20;

/// Writes a new file of events, which is made with the first of them.
#[pyclass(module = "runferry._native")]
pub struct ClearmlEvents {
    lines: EventLines,
    path: PathBuf,
    file: Option<File>,
    syncing: Option<Syncing>,
    /// Bytes since it was last wanted.
    unsynced: usize,
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
            syncing: None,
            unsynced: 0,
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
            self.syncing.take().map_or(Ok(()), Syncing::end)?;
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
                none => {
                    let file = OpenOptions::new()
                        .append(true)
                        .create(true)
                        .open(&self.path)?;
                    none.insert(file)
                }
            };
            file.write_all(text)?;
            self.sum.update(text);
            self.sizes.0 += text.len() as u64;
            self.unsynced += text.len();
            if self.unsynced >= MUCH {
                self.unsynced = 0;
                match &self.syncing {
                    Some(syncing) => syncing.want(),
                    None => self.syncing = Syncing::of(file)?,
                }
            }
        }
        if let (Some(file), Some(packer)) = (&mut self.packed, &self.lines.packer) {
            file.write_all(&packer.out)?;
            self.sizes.1 += packer.out.len() as u64;
        }
        self.lines.taken();
        Ok(())
    }
}

/// Syncs a long file now and then in a thread of its own, so that little is left at the end.
struct Syncing {
    wanted: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Syncing {
    /// None where the system gives no further thread: whoever syncs the file has more to wait for.
    fn of(file: &File) -> io::Result<Option<Self>> {
        let file = file.try_clone()?;
        let (wanted, told) = sync_channel(1);
        let sync = move || told.iter().try_for_each(|()| file.sync_data());
        let thread = Builder::new().spawn(sync).ok();
        Ok(thread.map(|thread| {
            let syncing = Self { wanted, thread };
            syncing.want();
            syncing
        }))
    }

    fn want(&self) {
        let _ = self.wanted.try_send(()); // full: it is at it, and comes to these bytes later
    }

    /// What went wrong is told to one descriptor alone, and so here.
    fn end(self) -> io::Result<()> {
        drop(self.wanted);
        self.thread.join().expect("syncing does not panic")
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
