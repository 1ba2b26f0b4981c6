//! The door of `runferry._native`: what Python may call, nothing else.
//!
//! The decoders below know nothing of Python, so that they can be tested and fuzzed without it.

pub mod columns;
pub mod json_text;
pub mod leveldb_log;
pub mod protobuf;
pub mod wandb;
mod wandb_keys;
mod wandb_media;
mod wandb_rows;
pub mod wandb_schema;
mod wandb_summary;

#[cfg(feature = "python")]
mod python_message;
#[cfg(feature = "python")]
mod python_records;
#[cfg(feature = "python")]
mod python_wandb;

/// The native half of runferry.
#[cfg(feature = "python")]
#[pyo3::pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::python_records::wandb_records;
    #[pymodule_export]
    use crate::python_wandb::{ArrowTable, WandbBatch, WandbScanner};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
