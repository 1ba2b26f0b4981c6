//! Owns JSON as trackers write it: numbers to the last bit, bare NaN and Infinity.

use crate::json::decimal::{decimal, leading_digits};

/// A JSON value that is one number, truth value or null.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    Float(f64),
    Int(i64),
    /// An integer that 64 bits cannot hold.
    HugeInt,
    Bool(bool),
    Null,
    /// A string, list or mapping, or no JSON at all.
    Other,
}

/// What one value is, if it is a scalar.
#[inline(always)]
pub fn scalar(text: &[u8]) -> Scalar {
    let is_negative = text.first() == Some(&b'-');
    let unsigned = &text[usize::from(is_negative)..]; // no branch: signs are hard to foretell
    match unsigned {
        [b'0'..=b'9', ..] => number(text, unsigned),
        _ => word(text),
    }
}

fn word(text: &[u8]) -> Scalar {
    match text {
        b"true" => Scalar::Bool(true),
        b"false" => Scalar::Bool(false),
        b"null" => Scalar::Null,
        b"NaN" => Scalar::Float(f64::NAN),
        b"Infinity" => Scalar::Float(f64::INFINITY),
        b"-Infinity" => Scalar::Float(f64::NEG_INFINITY),
        _ => Scalar::Other,
    }
}

/// A number, with and without its sign; it begins with a digit.
#[inline(always)]
fn number(text: &[u8], unsigned: &[u8]) -> Scalar {
    let is_negative = text.len() > unsigned.len();
    let (whole, length) = leading_digits(unsigned);
    if length > 1 && unsigned[0] == b'0' {
        return Scalar::Other;
    }
    match &unsigned[length..] {
        [] => integer(is_negative, whole, length),
        [b'.', fraction @ ..] => match decimal(whole, length, fraction) {
            Some(value) => Scalar::Float(with_sign(value, is_negative)),
            None if fraction.first().is_some_and(u8::is_ascii_digit) => any_float(text),
            None => Scalar::Other,
        },
        [b'e' | b'E', ..] => any_float(text),
        _ => Scalar::Other,
    }
}

#[inline(always)]
fn with_sign(value: f64, is_negative: bool) -> f64 {
    f64::from_bits(value.to_bits() | u64::from(is_negative) << 63)
}

/// Any spelling of a float, by a general parser.
#[inline(never)]
fn any_float(text: &[u8]) -> Scalar {
    fast_float2::parse(text).map_or(Scalar::Other, Scalar::Float)
}

fn integer(is_negative: bool, magnitude: u64, length: usize) -> Scalar {
    if length > 19 {
        return Scalar::HugeInt;
    }
    if is_negative && magnitude == 0 {
        return Scalar::Float(-0.0); // no integer has a sign of zero: a float was written short
    }
    let signed = if is_negative {
        0i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    };
    signed.map_or(Scalar::HugeInt, Scalar::Int)
}

/// A string as JSON.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\0'..=' ' if character != ' ' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// A float as JSON, with the shortest digits that give it back.
pub fn float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    format!("{value:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_by_how_they_are_written() {
        assert_eq!(scalar(b"1"), Scalar::Int(1));
        assert_eq!(scalar(b"1.0"), Scalar::Float(1.0));
        assert_eq!(scalar(b"1.18e+21"), Scalar::Float(1.18e21));
        assert_eq!(scalar(b"9223372036854775807"), Scalar::Int(i64::MAX));
        assert_eq!(scalar(b"-9223372036854775808"), Scalar::Int(i64::MIN));
        assert_eq!(scalar(b"9223372036854775808"), Scalar::HugeInt);
        assert_eq!(scalar(b"1e400"), Scalar::Float(f64::INFINITY));
        assert!(matches!(scalar(b"-0"), Scalar::Float(zero) if zero.is_sign_negative()));
    }

    #[test]
    fn what_is_no_json_number_is_none() {
        for text in [
            "", "-", "01", "-01", "1.", ".5", "+1", "1e", "1e+", "1.5.5", "0x1", "inf",
        ] {
            assert_eq!(scalar(text.as_bytes()), Scalar::Other, "{text}");
            assert_eq!(crate::json::walk::check(text), None, "{text}");
        }
    }
}
