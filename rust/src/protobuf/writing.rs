//! Owns spelling fields: the inverse of walking them, appended to a buffer.

use super::{BYTES, FIXED64, VARINT};

pub fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_length(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// A signed value, folded so that small ones stay short.
pub fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

pub fn varint_field(out: &mut Vec<u8>, number: u32, value: u64) {
    varint(out, key(number, VARINT));
    varint(out, value);
}

/// The key and the length of a field of `length` bytes, which the caller appends.
pub fn bytes_header(out: &mut Vec<u8>, number: u32, length: usize) {
    varint(out, key(number, BYTES));
    varint(out, length as u64);
}

pub fn bytes(out: &mut Vec<u8>, number: u32, content: &[u8]) {
    bytes_header(out, number, content.len());
    out.extend_from_slice(content);
}

/// Bytes that `bytes` would append.
pub fn bytes_length(number: u32, length: usize) -> usize {
    varint_length(key(number, BYTES)) + varint_length(length as u64) + length
}

/// A double, also one of zero.
pub fn double(out: &mut Vec<u8>, number: u32, value: f64) {
    varint(out, key(number, FIXED64));
    out.extend_from_slice(&value.to_le_bytes());
}

/// `google.protobuf.Timestamp`
pub fn timestamp(out: &mut Vec<u8>, number: u32, time_ns: i64) {
    const NS: i64 = 1_000_000_000;
    let (seconds, nanos) = (time_ns.div_euclid(NS) as u64, time_ns.rem_euclid(NS) as u64);
    bytes_header(
        out,
        number,
        2 + varint_length(seconds) + varint_length(nanos),
    );
    varint_field(out, 1, seconds);
    varint_field(out, 2, nanos);
}

/// `repeated double`, packed.
pub fn doubles(out: &mut Vec<u8>, number: u32, values: &[f64]) {
    bytes_header(out, number, values.len() * 8);
    for value in values {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

fn key(number: u32, wire_type: u8) -> u64 {
    u64::from(number) << 3 | u64::from(wire_type)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protobuf;

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
}
