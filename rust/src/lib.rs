//! The door of `runferry._native`: what Python may call, nothing else.
//!
//! The decoders below know nothing of Python, so that they can be tested and fuzzed without it.

// Formats: each a module, with what only it needs in a folder of its name.
pub mod clearml;
pub mod swanlab;
pub mod tensorboard;
pub mod wandb;

// Framing: records out of files.
pub mod leveldb;
pub mod tfrecord;
mod window;

// What formats share: encodings, columns, and what is said of damage.
mod columns;
pub mod damage;
mod json;
pub mod protobuf;
mod tables;
pub mod unreadable;

// For the archive, which decodes nothing.
pub mod durable;
pub mod point_hashes;
pub mod row_hashes;

#[cfg(feature = "python")]
mod python;

/// The native half of runferry.
#[cfg(feature = "python")]
#[pyo3::pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::durable::sync_paths;
    #[pymodule_export]
    use crate::point_hashes::sum_of_point_hashes;
    #[pymodule_export]
    use crate::python::arrow::ArrowTable;
    #[pymodule_export]
    use crate::python::clearml::ClearmlEvents;
    #[pymodule_export]
    use crate::python::event_writer::{EventMarks, EventWriter, event_record};
    #[pymodule_export]
    use crate::python::journal::{JournalFile, JournalLane, journal_frame};
    #[pymodule_export]
    use crate::python::records::wandb_records;
    #[pymodule_export]
    use crate::python::swanlab::{SwanlabBatch, SwanlabLog, SwanlabScanner};
    #[pymodule_export]
    use crate::python::tensorboard::{EventBatch, EventScanner};
    #[pymodule_export]
    use crate::python::wandb::{WandbBatch, WandbScanner};
    #[pymodule_export]
    use crate::python::wandb_log::WandbLog;
    #[pymodule_export]
    use crate::row_hashes::sum_of_row_hashes;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
