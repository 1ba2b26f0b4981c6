//! Owns the types of elements of a tensor, and single numbers as the source had them.

use crate::tensorboard::fields::tensor;

/// What the elements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    Float,
    Double,
    Half,
    Bfloat16,
    /// So many bytes in `tensor_content`; values stand in `int_val`.
    Signed(usize),
    Unsigned(usize),
    Int64,
    Uint32,
    Uint64,
    Bool,
    String,
    Other,
}

impl Dtype {
    pub fn of(number: u64) -> Self {
        match number {
            1 => Self::Float,
            2 => Self::Double,
            3 => Self::Signed(4),
            4 => Self::Unsigned(1),
            5 => Self::Signed(2),
            6 => Self::Signed(1),
            7 => Self::String,
            9 => Self::Int64,
            10 => Self::Bool,
            14 => Self::Bfloat16,
            17 => Self::Unsigned(2),
            19 => Self::Half,
            22 => Self::Uint32,
            23 => Self::Uint64,
            _ => Self::Other,
        }
    }

    /// The field with one value an element.
    pub fn values_field(self) -> u32 {
        match self {
            Self::Float => tensor::FLOAT_VAL,
            Self::Double => tensor::DOUBLE_VAL,
            Self::Signed(_) | Self::Unsigned(_) => tensor::INT_VAL,
            Self::String => tensor::STRING_VAL,
            Self::Int64 => tensor::INT64_VAL,
            Self::Bool => tensor::BOOL_VAL,
            Self::Half | Self::Bfloat16 => tensor::HALF_VAL,
            Self::Uint32 => tensor::UINT32_VAL,
            Self::Uint64 => tensor::UINT64_VAL,
            Self::Other => 0,
        }
    }

    /// Bytes an element in `tensor_content`.
    pub fn width(self) -> usize {
        match self {
            Self::Float | Self::Uint32 => 4,
            Self::Double | Self::Int64 | Self::Uint64 => 8,
            Self::Half | Self::Bfloat16 => 2,
            Self::Signed(width) | Self::Unsigned(width) => width,
            Self::Bool => 1,
            Self::String | Self::Other => 0,
        }
    }

    /// An element as `tensor_content` and packed floats have it: little-endian.
    pub fn number_in(self, bytes: &[u8]) -> Number {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        let word = u64::from_le_bytes(word);
        match self {
            Dtype::Float => Number::Float32(f32::from_bits(word as u32)),
            Dtype::Double => Number::Float64(f64::from_bits(word)),
            Dtype::Half => Number::Float32(half(word as u16)),
            Dtype::Bfloat16 => Number::Float32(f32::from_bits((word as u32) << 16)),
            Dtype::Signed(width) => {
                let unused = 64 - 8 * width as u32;
                Number::Int((word << unused) as i64 >> unused)
            }
            Dtype::Uint64 => Number::Uint64(word),
            Dtype::Bool => Number::Bool(word != 0),
            _ => Number::Int(word as i64),
        }
    }

    /// An element as the fields with varints have it.
    pub fn number_of(self, value: u64) -> Number {
        match self {
            Dtype::Half => Number::Float32(half(value as u16)),
            Dtype::Bfloat16 => Number::Float32(f32::from_bits((value as u32) << 16)),
            Dtype::Signed(1) => Number::Int(i64::from(value as i8)),
            Dtype::Signed(2) => Number::Int(i64::from(value as i16)),
            Dtype::Signed(_) => Number::Int(i64::from(value as i32)),
            Dtype::Unsigned(1) => Number::Int(i64::from(value as u8)),
            Dtype::Unsigned(_) => Number::Int(i64::from(value as u16)),
            Dtype::Uint32 => Number::Int(i64::from(value as u32)),
            Dtype::Uint64 => Number::Uint64(value),
            Dtype::Bool => Number::Bool(value != 0),
            _ => Number::Int(value as i64),
        }
    }

    pub fn is_float(self) -> bool {
        matches!(
            self,
            Self::Float | Self::Double | Self::Half | Self::Bfloat16
        )
    }
}

/// One number, as the source had it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Float32(f32),
    Float64(f64),
    Int(i64),
    Uint64(u64),
    Bool(bool),
}

impl Number {
    /// Of floats and truth values only: integers may need more.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Float32(value) => f64::from(value),
            Self::Float64(value) => value,
            Self::Int(value) => value as f64,
            Self::Uint64(value) => value as f64,
            Self::Bool(value) => f64::from(u8::from(value)),
        }
    }
}

/// IEEE binary16, exactly.
fn half(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let (exponent, fraction) = (u32::from(bits >> 10) & 0x1f, u32::from(bits) & 0x3ff);
    match exponent {
        0 => {
            let magnitude = fraction as f32 / 16_777_216.0; // 2^-24
            f32::from_bits(magnitude.to_bits() | sign)
        }
        0x1f => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}
