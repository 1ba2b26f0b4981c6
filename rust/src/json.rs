//! Owns JSON as bytes: scalars to the last bit here and below, structure in `walk`.

mod decimal;
mod numbers;
mod text;
pub mod walk;

pub use numbers::{put_float, put_integer, whole};
pub use text::{Scalar, float, quote, scalar};
