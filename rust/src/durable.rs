//! Makes files and the names in folders last, several at a time.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many are waited for at once: the disk's journal then writes them in one go.
const AT_ONCE: usize = 8;

/// The first that could not be made to last, and why.
pub type Failure = (PathBuf, io::Error);

/// Syncs all of them, whatever becomes of the others.
pub fn sync_all(paths: &[PathBuf]) -> Result<(), Failure> {
    let next = AtomicUsize::new(0);
    let some = || {
        let mut outcome = Ok(());
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            let synced = sync(path).map_err(|error| (path.clone(), error));
            outcome = outcome.and(synced);
        }
        outcome
    };
    thread::scope(|scope| {
        // where the system gives no further thread, those that are there do its work
        let others: Vec<_> = (1..paths.len().min(AT_ONCE))
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, some).ok())
            .collect();
        others.into_iter().fold(some(), |outcome, other| {
            outcome.and(other.join().expect("syncing does not panic"))
        })
    })
}

fn sync(path: &Path) -> io::Result<()> {
    // Windows syncs only what may be written to, and no folders
    if cfg!(windows) && path.is_dir() {
        return Ok(());
    }
    let file = if cfg!(windows) {
        OpenOptions::new().write(true).open(path)?
    } else {
        File::open(path)?
    };
    file.sync_all()
}

#[cfg(feature = "python")]
mod python {
    use super::*;
    use crate::python::os_error::os_error_at;
    use pyo3::prelude::*;

    /// Makes files and the names in folders last, several at a time.
    #[pyfunction]
    #[pyo3(name = "sync")]
    pub fn sync_paths(py: Python<'_>, paths: Vec<PathBuf>) -> PyResult<()> {
        py.detach(|| sync_all(&paths))
            .map_err(|(path, error)| os_error_at(path, &error))
    }
}

#[cfg(feature = "python")]
pub use python::sync_paths;
