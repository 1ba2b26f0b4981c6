//! Owns what a training process appends to its journal; `runferry.live.frames` says what a frame is.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, IoSlice, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::python::os_error::{os_error, os_error_at};

/// Bytes of a frame before its payload.
const HEAD: usize = 24;
/// Bytes of a payload for which a write is quick; for others Python's lock is let go of.
const SMALL: usize = 1000;
/// What takes no longer is quick.
const QUICK: Duration = Duration::from_millis(1);
/// After a write that took longer, whoever trains writes no more.
const SLOW: Duration = Duration::from_millis(100);

/// A file that is only appended to.
#[pyclass(frozen, module = "runferry._native")]
pub struct JournalFile {
    /// Locked for no longer than a thread has Python's lock, so a fork finds it free.
    file: Mutex<Option<Arc<File>>>,
    /// Whether the last write was; until then Python's lock is kept while writing.
    is_quick: AtomicBool,
    was_stuck: AtomicBool,
    /// The first error. What a write left behind then is the end of what can be read.
    failed: OnceLock<(ErrorKind, String)>,
}

/// The records of one source on their way into a file, as long as that is quick.
#[pyclass(frozen, module = "runferry._native")]
pub struct JournalLane {
    /// Locked as a file's is.
    aim: Mutex<Option<(Py<JournalFile>, u8, u32)>>,
    written: AtomicU64,
}

#[pymethods]
impl JournalFile {
    #[new]
    fn new(path: PathBuf) -> PyResult<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options
            .open(&path)
            .map_err(|error| os_error_at(path, &error))?;
        Ok(Self {
            file: Mutex::new(Some(Arc::new(file))),
            is_quick: AtomicBool::new(true),
            was_stuck: AtomicBool::new(false),
            failed: OnceLock::new(),
        })
    }

    fn append(&self, py: Python<'_>, kind: u8, source: u32, payload: &[u8]) -> PyResult<()> {
        if self.is_quick.load(Relaxed) && payload.len() <= SMALL {
            return self.small(kind, source, payload).map_err(os_error);
        }
        let file = self.there().clone();
        let head = head(kind, source, payload, now());
        let parts = [IoSlice::new(&head), IoSlice::new(payload)];
        py.detach(|| self.timed(file.as_deref(), &parts))
            .map_err(os_error)
    }

    fn write(&self, py: Python<'_>, frame: &[u8]) -> PyResult<()> {
        let file = self.there().clone();
        py.detach(|| self.unless_failed(file.as_deref(), &[IoSlice::new(frame)]))
            .map_err(os_error)
    }

    #[getter]
    fn is_quick(&self) -> bool {
        self.is_quick.load(Relaxed)
    }

    #[getter]
    fn was_stuck(&self) -> bool {
        self.was_stuck.load(Relaxed)
    }

    #[cfg(unix)]
    fn fileno(&self) -> PyResult<i32> {
        use std::os::fd::AsRawFd;
        let file = self.there();
        let file = file.as_ref().ok_or_else(|| os_error(closed()))?;
        Ok(file.as_raw_fd())
    }

    fn close(&self) {
        self.there().take();
    }

    #[cfg(unix)]
    fn abandon(&self) {
        use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
        let file = self.there().take();
        if let Some(file) = file.filter(|file| Arc::strong_count(file) > 1) {
            // SAFETY: who else has it is a thread that was writing in the parent when this process
            // was forked: here there is none, so nobody uses or closes it after this.
            drop(unsafe { OwnedFd::from_raw_fd(file.as_raw_fd()) });
            std::mem::forget(file);
        }
    }
}

impl JournalFile {
    /// One frame, from a buffer of its own: quicker than two parts.
    fn small(&self, kind: u8, source: u32, payload: &[u8]) -> io::Result<()> {
        let mut frame = [0; HEAD + SMALL];
        let frame = &mut frame[..HEAD + payload.len()];
        frame[..HEAD].copy_from_slice(&head(kind, source, payload, now()));
        frame[HEAD..].copy_from_slice(payload);
        self.timed(self.there().as_deref(), &[IoSlice::new(frame)])
    }

    fn timed(&self, file: Option<&File>, parts: &[IoSlice]) -> io::Result<()> {
        let began = Instant::now();
        self.unless_failed(file, parts)?;
        let took = began.elapsed();
        self.is_quick.store(took < QUICK, Relaxed);
        if took > SLOW {
            self.was_stuck.store(true, Relaxed);
        }
        Ok(())
    }

    fn unless_failed(&self, file: Option<&File>, parts: &[IoSlice]) -> io::Result<()> {
        if let Some((kind, why)) = self.failed.get() {
            return Err(io::Error::new(*kind, why.as_str()));
        }
        let written = one_write(file.ok_or_else(closed)?, parts);
        if let Err(error) = &written {
            let _ = self.failed.set((error.kind(), error.to_string()));
        }
        written
    }

    fn there(&self) -> MutexGuard<'_, Option<Arc<File>>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl JournalLane {
    #[new]
    fn new() -> Self {
        Self {
            aim: Mutex::new(None),
            written: AtomicU64::new(0),
        }
    }

    fn aim(&self, file: Py<JournalFile>, kind: u8, source: u32) {
        *self.aimed() = Some((file, kind, source));
    }

    fn forget(&self) {
        self.aimed().take();
        self.written.store(0, Relaxed);
    }

    #[getter]
    fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    fn put(&self, payload: &[u8]) -> bool {
        let aimed = self.aimed();
        let Some((file, kind, source)) = aimed.as_ref() else {
            return false;
        };
        let file = file.get();
        let is_quick = file.is_quick() && !file.was_stuck() && payload.len() <= SMALL;
        if !is_quick || file.small(*kind, *source, payload).is_err() {
            return false;
        }
        self.written.fetch_add(1, Relaxed);
        true
    }
}

impl JournalLane {
    fn aimed(&self) -> MutexGuard<'_, Option<(Py<JournalFile>, u8, u32)>> {
        self.aim.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A frame by itself.
#[pyfunction]
#[pyo3(signature = (kind, source, payload, time_ns=None))]
pub fn journal_frame<'py>(
    py: Python<'py>,
    kind: u8,
    source: u32,
    payload: &[u8],
    time_ns: Option<u64>,
) -> PyResult<Bound<'py, PyBytes>> {
    let head = head(kind, source, payload, time_ns.unwrap_or_else(now));
    PyBytes::new_with(py, HEAD + payload.len(), |frame| {
        frame[..HEAD].copy_from_slice(&head);
        frame[HEAD..].copy_from_slice(payload);
        Ok(())
    })
}

fn head(kind: u8, source: u32, payload: &[u8], time_ns: u64) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    // a payload is at most `frames.LONGEST` bytes
    head[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    head[8] = kind;
    head[12..16].copy_from_slice(&source.to_le_bytes());
    head[16..].copy_from_slice(&time_ns.to_le_bytes());
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&head[8..]);
    checksum.update(payload);
    head[4..8].copy_from_slice(&checksum.finalize().to_le_bytes());
    head
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

/// All of it, or an error: what was cut is the end of what can be read.
fn one_write(mut file: &File, parts: &[IoSlice]) -> io::Result<()> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    loop {
        let written = match parts {
            [all] => file.write(all), // which is quicker
            _ => file.write_vectored(parts),
        };
        match written {
            Ok(written) if written == length => return Ok(()),
            Ok(_) => {
                let why = "no space left on the disk";
                return Err(io::Error::new(ErrorKind::StorageFull, why));
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn closed() -> io::Error {
    io::Error::other("the journal is closed")
}
