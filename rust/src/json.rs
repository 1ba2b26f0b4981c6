//! Owns JSON as bytes: scalars to the last bit here and below, structure in `walk`.

mod decimal;
mod text;
pub mod walk;

pub use text::{Scalar, float, quote, scalar};
