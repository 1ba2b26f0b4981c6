//! The door of `runferry._native`: a handful of functions and the mapping of errors, nothing else.

use pyo3::prelude::*;

/// The native half of runferry.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    Ok(())
}
