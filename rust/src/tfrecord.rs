//! Owns the frame of a record in a TFRecord file: length u64le, its crc, the payload, its crc.
//!
//! The crcs are CRC-32C, rotated and offset ("masked"), so that a checksum among the data does not
//! look like one of the data. The format is TensorFlow's `lib/io/record_writer.cc`.

mod reader;
mod whole;

pub use reader::{Record, RecordReader};
pub use whole::WholeRecords;

/// Bytes before a payload: its length, and the crc of that.
pub const HEADER: usize = 12;
/// Bytes behind a payload: its crc.
pub const FOOTER: usize = 4;
/// What a record is longer than its payload.
pub const FRAME: usize = HEADER + FOOTER;

/// CRC-32C as it stands in a record.
#[inline]
pub fn masked_crc(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

/// The length that a header states, and the crc of it.
#[inline]
fn split_header(header: &[u8]) -> Option<(u64, u32)> {
    let (length, crc) = header.split_first_chunk::<8>()?;
    let crc = crc.first_chunk::<4>()?;
    Some((u64::from_le_bytes(*length), u32::from_le_bytes(*crc)))
}

/// The payload before its crc, if that is the crc of it.
#[inline(always)]
fn checked(payload_and_crc: &[u8]) -> Option<&[u8]> {
    let (payload, crc) = payload_and_crc.split_last_chunk::<FOOTER>()?;
    (masked_crc(payload) == u32::from_le_bytes(*crc)).then_some(payload)
}

/// Whether these first bytes may be those of a record that is cut.
pub fn may_begin(header: &[u8]) -> bool {
    match split_header(header) {
        Some((length, crc)) => masked_crc(&length.to_le_bytes()) == crc,
        // Too few to tell; but the upper half of a length is zero.
        None => header.iter().skip(4).take(4).all(|byte| *byte == 0),
    }
}

/// Leaves room for a header; the payload is what is appended until `end`.
pub fn begin(out: &mut Vec<u8>) -> usize {
    let at = out.len();
    out.resize(at + HEADER, 0);
    at
}

/// Closes the record that `begin` opened at `at`.
pub fn end(out: &mut Vec<u8>, at: usize) {
    let length = (out.len() - at - HEADER) as u64;
    let spelled = length.to_le_bytes();
    out[at..at + 8].copy_from_slice(&spelled);
    out[at + 8..at + HEADER].copy_from_slice(&masked_crc(&spelled).to_le_bytes());
    let crc = masked_crc(&out[at + HEADER..]);
    out.extend_from_slice(&crc.to_le_bytes());
}

#[cfg(test)]
pub mod testing {
    /// A payload as a record.
    pub fn frame(payload: &[u8]) -> Vec<u8> {
        let mut record = Vec::new();
        let at = super::begin(&mut record);
        record.extend_from_slice(payload);
        super::end(&mut record, at);
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_tensorflow() {
        // The first record of any file of TensorBoard 2 is 24 bytes long.
        assert_eq!(
            masked_crc(&24u64.to_le_bytes()).to_le_bytes(),
            [0xa3, 0x7f, 0x4b, 0x22]
        );
        assert_eq!(masked_crc(b""), 0xa282_ead8);
    }
}
