//! Owns how Python hears of what the system refused: with its number, by which a full disk is told.

use std::io;
use std::path::PathBuf;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

/// An `OSError` of the kind that Python chooses by the number, without a name of a file.
pub fn os_error(error: io::Error) -> PyErr {
    PyOSError::new_err((error.raw_os_error(), words(&error)))
}

/// The same of this file.
pub fn os_error_at(path: PathBuf, error: &io::Error) -> PyErr {
    let number = error.raw_os_error();
    // errno, strerror, filename, winerror: by one of the numbers Python chooses the kind
    PyOSError::new_err((number, words(error), path, number))
}

fn words(error: &io::Error) -> String {
    let told = error.to_string();
    told.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_owned()
}
