//! Owns `TensorProto`: its shape, and its numbers or strings, from either of the two places they stand in.

use crate::protobuf::{Fields, Malformed, Wire, bytes_key, take_bytes_field, varint, varint_key};
use crate::tensorboard::dtype::{Dtype, Number};
use crate::tensorboard::fields::{dtype, shape, tensor};

const DTYPE_KEY: u8 = varint_key(tensor::DTYPE);
const SHAPE_KEY: u8 = bytes_key(tensor::SHAPE);
const CONTENT_KEY: u8 = bytes_key(tensor::CONTENT);
const FLOATS_KEY: u8 = bytes_key(tensor::FLOAT_VAL);
const DOUBLES_KEY: u8 = bytes_key(tensor::DOUBLE_VAL);

/// More dimensions than TensorFlow allows are refused.
pub const MOST_DIMS: usize = 8;

/// A tensor whose elements have not been looked at yet.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    pub dtype: Dtype,
    dims: [u64; MOST_DIMS],
    rank: usize,
    content: &'a [u8],
    /// The whole message, where the values are looked for.
    message: &'a [u8],
}

impl<'a> Tensor<'a> {
    pub fn of(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut parts = Self {
            dtype: Dtype::Other,
            dims: [0; MOST_DIMS],
            rank: 0,
            content: b"",
            message,
        };
        for field in Fields::new(message) {
            match field? {
                (tensor::DTYPE, Wire::Varint(number)) => parts.dtype = Dtype::of(number),
                (tensor::SHAPE, Wire::Bytes(shape)) => parts.add_shape(shape)?,
                (tensor::CONTENT, Wire::Bytes(content)) => parts.content = content,
                _ => {}
            }
        }
        Ok(parts)
    }

    fn add_shape(&mut self, message: &[u8]) -> Result<(), Malformed> {
        for field in Fields::new(message) {
            match field? {
                (shape::DIM, Wire::Bytes(dim)) => {
                    let mut size = 0;
                    for field in Fields::new(dim) {
                        if let (shape::DIM_SIZE, Wire::Varint(given)) = field? {
                            size = given;
                        }
                    }
                    *self.dims.get_mut(self.rank).ok_or(Malformed)? = size;
                    self.rank += 1;
                }
                (shape::UNKNOWN_RANK, Wire::Varint(1)) => return Err(Malformed), // of no known rank
                _ => {}
            }
        }
        Ok(())
    }

    pub fn dims(&self) -> &[u64] {
        &self.dims[..self.rank]
    }

    /// How many elements its shape says there are.
    pub fn elements(&self) -> Result<usize, Malformed> {
        let product = self.dims().iter().try_fold(1u64, |product, size| {
            product.checked_mul(*size).filter(|n| *n <= 1 << 40)
        });
        product
            .and_then(|elements| usize::try_from(elements).ok())
            .ok_or(Malformed)
    }

    /// The one number of a tensor with one element.
    pub fn number(&self) -> Result<Number, Malformed> {
        if self.elements()? != 1 {
            return Err(Malformed);
        }
        let mut found = None;
        self.each_number(|number| {
            if found.replace(number).is_some() {
                return Err(Malformed);
            }
            Ok(())
        })?;
        found.ok_or(Malformed)
    }

    /// All numbers, as doubles; where one stands for all it is repeated.
    pub fn doubles(&self) -> Result<Vec<f64>, Malformed> {
        let elements = self.elements()?;
        // The shape is a claim; the bytes are there.
        let mut found = Vec::with_capacity(elements.min(self.message.len()));
        self.each_number(|number| {
            found.push(number.as_f64());
            Ok(())
        })?;
        if let [only] = found[..]
            && elements <= self.message.len().max(1 << 16)
        {
            found.resize(elements, only);
        }
        if found.len() == elements {
            Ok(found)
        } else {
            Err(Malformed)
        }
    }

    fn each_number(
        &self,
        mut take: impl FnMut(Number) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let width = self.dtype.width();
        if width == 0 {
            return Err(Malformed);
        }
        if !self.content.is_empty() {
            if !self.content.len().is_multiple_of(width) {
                return Err(Malformed);
            }
            let mut elements = self.content.chunks_exact(width);
            return elements.try_for_each(|bytes| take(self.dtype.number_in(bytes)));
        }
        let place = self.dtype.values_field();
        for field in Fields::new(self.message) {
            match field? {
                (number, Wire::Bytes(packed)) if number == place => {
                    self.each_packed(packed, &mut take)?;
                }
                (number, Wire::Varint(value)) if number == place => {
                    take(self.dtype.number_of(value))?
                }
                (number, Wire::Fixed32(bits)) if number == place && self.dtype == Dtype::Float => {
                    take(Number::Float32(f32::from_bits(bits)))?;
                }
                (number, Wire::Fixed64(bits)) if number == place && self.dtype == Dtype::Double => {
                    take(Number::Float64(f64::from_bits(bits)))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn each_packed(
        &self,
        mut packed: &[u8],
        take: &mut impl FnMut(Number) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        if matches!(self.dtype, Dtype::Float | Dtype::Double) {
            let elements = packed.chunks_exact(self.dtype.width());
            if !elements.remainder().is_empty() {
                return Err(Malformed);
            }
            return { elements }.try_for_each(|bytes| take(self.dtype.number_in(bytes)));
        }
        while !packed.is_empty() {
            take(self.dtype.number_of(varint(&mut packed)?))?;
        }
        Ok(())
    }

    /// The strings; where one stands for all there is one.
    pub fn strings(&self) -> Result<Vec<&'a [u8]>, Malformed> {
        if self.dtype != Dtype::String || !self.content.is_empty() {
            return Err(Malformed);
        }
        let elements = self.elements()?;
        let mut found = Vec::new();
        for field in Fields::new(self.message) {
            if let (tensor::STRING_VAL, Wire::Bytes(text)) = field? {
                found.push(text);
            }
        }
        if found.len() == elements {
            Ok(found)
        } else {
            Err(Malformed)
        }
    }

    /// The string of a tensor with one element.
    pub fn string(&self) -> Result<&'a [u8], Malformed> {
        match self.strings()?[..] {
            [only] => Ok(only),
            _ => Err(Malformed),
        }
    }
}

/// The number of the tensor that nearly every scalar is: a float or double without dimensions.
#[inline(always)]
pub fn plain_number(message: &[u8]) -> Option<Number> {
    let [DTYPE_KEY, dtype @ (dtype::FLOAT | dtype::DOUBLE), rest @ ..] = message else {
        return None;
    };
    let rest = match rest {
        [SHAPE_KEY, 0x00, rest @ ..] => rest,
        _ => rest,
    };
    if *dtype == dtype::FLOAT {
        only_element(rest, FLOATS_KEY).map(|bytes| Number::Float32(f32::from_le_bytes(bytes)))
    } else {
        only_element(rest, DOUBLES_KEY).map(|bytes| Number::Float64(f64::from_le_bytes(bytes)))
    }
}

/// The one element in a packed field of values, or in `tensor_content`, behind which nothing comes.
#[inline(always)]
fn only_element<const WIDTH: usize>(mut rest: &[u8], values_key: u8) -> Option<[u8; WIDTH]> {
    let content = match take_bytes_field(&mut rest, values_key) {
        Some(values) => values,
        None => take_bytes_field(&mut rest, CONTENT_KEY)?,
    };
    let element = <[u8; WIDTH]>::try_from(content).ok()?;
    rest.is_empty().then_some(element)
}
