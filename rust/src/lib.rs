//! The door of `runferry._native`: what Python may call, nothing else.
//!
//! The decoders below know nothing of Python, so that they can be tested and fuzzed without it.

mod column_parts;
mod columns;
pub mod damage;
pub mod durable;
mod event_columns;
mod event_decoder;
mod event_dtype;
pub mod event_frame;
mod event_histogram;
pub mod event_marks;
mod event_media;
mod event_parts;
mod event_record;
mod event_rows;
mod event_series;
mod event_spelling;
pub mod event_tags;
mod event_tensor;
pub mod event_writer;
mod json_decimal;
mod json_text;
mod json_walk;
mod leveldb_chunk;
pub mod leveldb_log;
pub mod point_hashes;
pub mod protobuf;
pub mod row_hashes;
pub mod tensorboard;
pub mod tfrecord;
pub mod wandb;
mod wandb_address;
mod wandb_decoder;
mod wandb_keys;
mod wandb_media;
mod wandb_record;
mod wandb_rows;
mod wandb_sink;
mod wandb_summary;
mod window;

#[cfg(feature = "python")]
mod json_conventions;
#[cfg(feature = "python")]
mod message_schema;
#[cfg(feature = "python")]
mod python_arrow;
#[cfg(feature = "python")]
mod python_event_writer;
#[cfg(feature = "python")]
mod python_items;
#[cfg(feature = "python")]
mod python_message;
#[cfg(feature = "python")]
mod python_records;
#[cfg(feature = "python")]
mod python_tensorboard;
#[cfg(feature = "python")]
mod python_wandb;

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
    use crate::python_arrow::ArrowTable;
    #[pymodule_export]
    use crate::python_event_writer::{EventMarks, EventWriter, event_record};
    #[pymodule_export]
    use crate::python_records::wandb_records;
    #[pymodule_export]
    use crate::python_tensorboard::{EventBatch, EventScanner};
    #[pymodule_export]
    use crate::python_wandb::{WandbBatch, WandbScanner};
    #[pymodule_export]
    use crate::row_hashes::sum_of_row_hashes;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
