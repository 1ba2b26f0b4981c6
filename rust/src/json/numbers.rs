//! Owns how numbers are spelled as JSON, at the end of bytes.

use crate::json;

/// The integer that a double is; None for −0.0, which none is.
pub fn whole(value: f64) -> Option<i64> {
    let integer = value as i64;
    (integer as f64 == value && integer != i64::MAX && (integer != 0 || value.is_sign_positive()))
        .then_some(integer)
}

/// Of the largest integer of 64 bits.
const MOST_DIGITS: usize = 20;

/// Its digits: by hand, as the standard library's way is several times slower.
#[inline]
pub fn put_integer(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    let mut digits = [0; MOST_DIGITS];
    let mut at = MOST_DIGITS;
    let mut left = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// The shortest digits that give the double back, never those of an integer.
#[inline]
pub fn put_float(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        let mut digits = zmij::Buffer::new();
        out.extend_from_slice(digits.format_finite(value).as_bytes());
    } else {
        out.extend_from_slice(json::float(value).as_bytes());
    }
}
