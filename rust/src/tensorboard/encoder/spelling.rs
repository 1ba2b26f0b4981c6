//! Owns how the values of an event are spelled: what `Summary.Value` holds besides tag and metadata.

use crate::protobuf::writing::{bytes, bytes_header, bytes_length, doubles, varint_field};
use crate::protobuf::{bytes_key, fixed32_key, fixed64_key, varint_key};
use crate::tensorboard::fields::{dtype, histogram, shape, tensor, value};

/// `Value.simple_value`
pub fn simple_value(number: f32) -> [u8; 5] {
    let [a, b, c, d] = number.to_le_bytes();
    [fixed32_key(value::SIMPLE_VALUE), a, b, c, d]
}

/// `TensorProto.tensor_shape`
fn shape(out: &mut Vec<u8>, dims: &[u64]) {
    let mut spelled = Vec::new();
    for size in dims {
        let mut dim = Vec::new();
        if *size > 0 {
            varint_field(&mut dim, shape::DIM_SIZE, *size);
        }
        bytes(&mut spelled, shape::DIM, &dim);
    }
    bytes(out, tensor::SHAPE, &spelled);
}

/// `TensorProto.tensor_shape` without dimensions.
const SCALAR_SHAPE: [u8; 2] = [bytes_key(tensor::SHAPE), 0];

/// `TensorProto.dtype`
const fn dtype(number: u8) -> [u8; 2] {
    [varint_key(tensor::DTYPE), number]
}

/// `Value.tensor`: one double.
pub fn double_tensor(number: f64) -> [u8; 16] {
    let mut spelled = [0; 16];
    spelled[..2].copy_from_slice(&[bytes_key(value::TENSOR), 14]);
    spelled[2..4].copy_from_slice(&dtype(dtype::DOUBLE));
    spelled[4..6].copy_from_slice(&SCALAR_SHAPE);
    spelled[6..8].copy_from_slice(&[bytes_key(tensor::DOUBLE_VAL), 8]);
    spelled[8..].copy_from_slice(&number.to_le_bytes());
    spelled
}

/// `Value.tensor`: strings of this shape.
pub fn string_tensor<T: AsRef<str>>(out: &mut Vec<u8>, texts: &[T], dims: &[u64]) {
    let mut spelled = Vec::new();
    shape(&mut spelled, dims);
    let lengths = texts.iter().map(|text| text.as_ref().len());
    let content: usize = lengths
        .map(|length| bytes_length(tensor::STRING_VAL, length))
        .sum();
    bytes_header(out, value::TENSOR, 2 + spelled.len() + content);
    out.extend_from_slice(&dtype(dtype::STRING));
    out.extend_from_slice(&spelled);
    for text in texts {
        bytes(out, tensor::STRING_VAL, text.as_ref().as_bytes());
    }
}

/// `Value.tensor`: rows of left edge, right edge and count, as the histograms plugin has them.
pub fn bucket_tensor(out: &mut Vec<u8>, edges: &[f64], counts: &[f64]) {
    let rows = counts.len().min(edges.len().saturating_sub(1));
    let mut spelled = Vec::new();
    shape(&mut spelled, &[rows as u64, 3]);
    let content = rows * 24;
    let length = spelled.len() + bytes_length(tensor::CONTENT, content);
    bytes_header(out, value::TENSOR, 2 + length);
    out.extend_from_slice(&dtype(dtype::DOUBLE));
    out.extend_from_slice(&spelled);
    bytes_header(out, tensor::CONTENT, content);
    for (pair, count) in edges.windows(2).zip(counts) {
        for number in [pair[0], pair[1], *count] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
}

/// `Value.histo`: the statistics, right edges and counts of a `HistogramProto`.
pub fn histogram_message(out: &mut Vec<u8>, statistics: &[f64; 5], limits: &[f64], counts: &[f64]) {
    let mut message = Vec::new();
    for (number, statistic) in (histogram::MIN..).zip(statistics) {
        message.push(fixed64_key(number));
        message.extend_from_slice(&statistic.to_le_bytes());
    }
    doubles(&mut message, histogram::BUCKET_LIMIT, limits);
    doubles(&mut message, histogram::BUCKET, counts);
    bytes(out, value::HISTOGRAM, &message);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protobuf::{Fields, Wire};

    #[test]
    fn tensors_are_messages_of_their_stated_length() {
        let mut out = Vec::new();
        string_tensor(&mut out, &["深".repeat(100)], &[]);
        string_tensor(&mut out, &["a", "b"], &[1, 2]);
        bucket_tensor(&mut out, &[0.0, 1.0, 2.0], &[3.0, 4.0]);
        bucket_tensor(&mut out, &[], &[]);
        out.extend_from_slice(&double_tensor(0.5));
        out.extend_from_slice(&simple_value(0.5));
        let numbers: Vec<u32> = Fields::new(&out)
            .map(|field| {
                let (number, value) = field.expect("well formed");
                if let Wire::Bytes(tensor) = value {
                    assert!(Fields::new(tensor).all(|inner| inner.is_ok()));
                }
                number
            })
            .collect();
        assert_eq!(numbers, [8, 8, 8, 8, 8, 2]);
    }
}
