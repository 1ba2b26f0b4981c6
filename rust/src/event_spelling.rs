//! Owns how the values of an event are spelled: protobuf without generated code.
//!
//! Field numbers are those of TensorFlow's `event.proto`, `summary.proto` and `tensor.proto`.

pub const DT_DOUBLE: u8 = 2;
pub const DT_STRING: u8 = 7;

/// `SummaryMetadata.data_class`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataClass {
    Scalar = 1,
    Tensor = 2,
}

/// The plugin by which TensorBoard shows the rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plugin {
    Scalars,
    Text,
    Histograms,
}

impl Plugin {
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalars => "scalars",
            Self::Text => "text",
            Self::Histograms => "histograms",
        }
    }

    fn data_class(self) -> DataClass {
        match self {
            Self::Scalars => DataClass::Scalar,
            Self::Text | Self::Histograms => DataClass::Tensor,
        }
    }

    /// The `SummaryMetadata` of a tag; `facts` are spelled already.
    pub fn metadata(self, content: &[u8], facts: &[u8]) -> Vec<u8> {
        let mut plugin_data = Vec::new();
        bytes(&mut plugin_data, 1, self.name().as_bytes());
        if !content.is_empty() {
            bytes(&mut plugin_data, 2, content);
        }
        let mut metadata = Vec::new();
        bytes(&mut metadata, 1, &plugin_data);
        metadata.extend_from_slice(facts);
        varint_field(&mut metadata, 4, self.data_class() as u64);
        metadata
    }
}

pub fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub fn varint_length(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// A signed value, folded so that small ones stay short.
pub fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

pub fn varint_field(out: &mut Vec<u8>, number: u32, value: u64) {
    varint(out, u64::from(number) << 3);
    varint(out, value);
}

/// The tag and the length of a field of `length` bytes, which the caller appends.
pub fn bytes_header(out: &mut Vec<u8>, number: u32, length: usize) {
    varint(out, u64::from(number) << 3 | 2);
    varint(out, length as u64);
}

pub fn bytes(out: &mut Vec<u8>, number: u32, content: &[u8]) {
    bytes_header(out, number, content.len());
    out.extend_from_slice(content);
}

/// Bytes that `bytes` would append.
pub fn bytes_length(number: u32, length: usize) -> usize {
    varint_length(u64::from(number) << 3) + varint_length(length as u64) + length
}

/// `repeated double`, packed.
pub fn doubles(out: &mut Vec<u8>, number: u32, values: &[f64]) {
    bytes_header(out, number, values.len() * 8);
    for value in values {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// `Value.simple_value`
pub fn simple_value(value: f32) -> [u8; 5] {
    let [a, b, c, d] = value.to_le_bytes();
    [2 << 3 | 5, a, b, c, d]
}

/// `TensorProto.tensor_shape` without dimensions.
const SCALAR_SHAPE: [u8; 2] = [2 << 3 | 2, 0];

/// `Value.tensor`: one double.
pub fn double_tensor(value: f64) -> [u8; 16] {
    let mut spelled = [0; 16];
    spelled[..4].copy_from_slice(&[8 << 3 | 2, 14, 1 << 3, DT_DOUBLE]);
    spelled[4..6].copy_from_slice(&SCALAR_SHAPE);
    spelled[6..8].copy_from_slice(&[6 << 3 | 2, 8]);
    spelled[8..].copy_from_slice(&value.to_le_bytes());
    spelled
}

/// `Value.tensor`: one string.
pub fn string_tensor(out: &mut Vec<u8>, text: &[u8]) {
    bytes_header(out, 8, 4 + bytes_length(8, text.len()));
    out.extend_from_slice(&[1 << 3, DT_STRING]);
    out.extend_from_slice(&SCALAR_SHAPE);
    bytes(out, 8, text);
}

/// `Value.tensor`: rows of left edge, right edge and count, as the histograms plugin has them.
pub fn bucket_tensor(out: &mut Vec<u8>, edges: &[f64], counts: &[f64]) {
    let rows = counts.len().min(edges.len().saturating_sub(1));
    let mut shape = Vec::new();
    for size in [rows as u64, 3] {
        let mut dim = Vec::new();
        if size > 0 {
            varint_field(&mut dim, 1, size);
        }
        bytes(&mut shape, 2, &dim);
    }
    let content = rows * 24;
    let length = 2 + bytes_length(2, shape.len()) + bytes_length(4, content);
    bytes_header(out, 8, length);
    out.extend_from_slice(&[1 << 3, DT_DOUBLE]);
    bytes(out, 2, &shape);
    bytes_header(out, 4, content);
    for (pair, count) in edges.windows(2).zip(counts) {
        for value in [pair[0], pair[1], *count] {
            out.extend_from_slice(&value.to_le_bytes());
        }
    }
}

/// `Value.histo`: the statistics, right edges and counts of a `HistogramProto`.
pub fn histogram_message(out: &mut Vec<u8>, statistics: &[f64; 5], limits: &[f64], counts: &[f64]) {
    let mut message = Vec::new();
    for (number, value) in (1..).zip(statistics) {
        message.push(number << 3 | 1);
        message.extend_from_slice(&value.to_le_bytes());
    }
    doubles(&mut message, 6, limits);
    doubles(&mut message, 7, counts);
    bytes(out, 5, &message);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protobuf::{self, Fields, Wire};

    #[test]
    fn lengths_foretell_what_is_spelled() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::MAX >> 1, u64::MAX] {
            let mut out = Vec::new();
            varint(&mut out, value);
            assert_eq!(out.len(), varint_length(value));
            assert_eq!(protobuf::varint(&mut &out[..]), Ok(value));
            assert_eq!(zigzag(protobuf::zigzag(value)), value);
        }
        for length in [0, 1, 127, 128, 20_000] {
            for number in [1, 15, 16, 1517] {
                let mut out = Vec::new();
                bytes(&mut out, number, &vec![7; length]);
                assert_eq!(out.len(), bytes_length(number, length));
            }
        }
    }

    #[test]
    fn tensors_are_messages_of_their_stated_length() {
        let mut out = Vec::new();
        string_tensor(&mut out, "深".repeat(100).as_bytes());
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
        assert_eq!(numbers, [8, 8, 8, 8, 2]);
    }
}
