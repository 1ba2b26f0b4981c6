//! Owns what Python sees: classes and functions over the decoders and the writer, and nothing of formats.

pub mod arrow;
pub mod clearml;
pub mod event_writer;
mod items;
pub mod journal;
mod json_conventions;
mod message;
pub mod os_error;
pub mod records;
mod schema;
pub mod swanlab;
pub mod tensorboard;
pub mod wandb;
pub mod wandb_log;
