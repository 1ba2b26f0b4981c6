//! Owns histograms: the obsolete message and the tensor of bins, as edges, counts and what else they say.
//!
//! `HistogramProto` has the right edge of each bucket only. Its edges here are one more: first the
//! least value, or the first right edge where that is less, then all right edges. So the message is
//! had back as `bucket_limit = edges[1:]`, `bucket = counts`, and the rest from `extra`.

use std::fmt::Write;

use crate::protobuf::{Fields, Malformed, Wire};
use crate::tensorboard::dtype::Dtype;
use crate::tensorboard::fields::histogram;
use crate::tensorboard::rows::HistogramRows;
use crate::tensorboard::tensor::Tensor;

/// The names of the first five fields.
const STATISTICS: [&str; 5] = ["min", "max", "num", "sum", "sum_squares"];

/// Puts a `HistogramProto` into the lists of the next row, and the rest of it into `extra`.
pub fn push_message(
    message: &[u8],
    rows: &mut HistogramRows,
    extra: &mut String,
) -> Result<(), Malformed> {
    let mut statistics = [0.0; 5];
    let start = rows.edges.values.len();
    rows.edges.values.push(0.0); // its place; known when all is
    for field in Fields::new(message) {
        match field? {
            (number @ histogram::MIN..=histogram::SUM_SQUARES, Wire::Fixed64(bits)) => {
                statistics[(number - histogram::MIN) as usize] = f64::from_bits(bits);
            }
            (histogram::BUCKET_LIMIT, Wire::Bytes(packed)) => {
                extend(&mut rows.edges.values, packed)?
            }
            (histogram::BUCKET, Wire::Bytes(packed)) => extend(&mut rows.counts.values, packed)?,
            (histogram::BUCKET_LIMIT, Wire::Fixed64(bits)) => {
                rows.edges.values.push(f64::from_bits(bits))
            }
            (histogram::BUCKET, Wire::Fixed64(bits)) => {
                rows.counts.values.push(f64::from_bits(bits))
            }
            _ => return Err(Malformed),
        }
    }
    let edges = &mut rows.edges.values[start..];
    edges[0] = first_edge(statistics[0], edges.get(1).copied());
    for (place, (name, value)) in STATISTICS.iter().zip(statistics).enumerate() {
        extra.push_str(if place == 0 { "{\"" } else { ",\"" });
        extra.push_str(name);
        extra.push_str("\":");
        push_float(extra, value);
    }
    extra.push('}');
    Ok(())
}

/// Where the first bucket begins: at the least value, or its own right edge where that is less.
fn first_edge(least: f64, first_limit: Option<f64>) -> f64 {
    first_limit.filter(|first| *first < least).unwrap_or(least)
}

/// The inverse of `push_message`: the five statistics, where these three came of a message.
pub fn message_of(edges: &[f64], extra: &str) -> Option<[f64; 5]> {
    let mut statistics = [0.0; 5];
    let mut rest = extra.strip_prefix('{')?;
    for (place, name) in STATISTICS.iter().enumerate() {
        rest = rest.strip_prefix(if place == 0 { "" } else { "," })?;
        rest = rest
            .strip_prefix('"')?
            .strip_prefix(name)?
            .strip_prefix("\":")?;
        (statistics[place], rest) = take_float(rest)?;
    }
    let (first, limits) = edges.split_first()?;
    let is_same = first_edge(statistics[0], limits.first().copied()).to_bits() == first.to_bits();
    (rest == "}" && is_same).then_some(statistics)
}

/// The inverse of `push_float`, off the front.
fn take_float(text: &str) -> Option<(f64, &str)> {
    if let Some(tagged) = text.strip_prefix("{\"$float\":\"") {
        let (word, rest) = tagged.split_once("\"}")?;
        return Some((word.parse().ok()?, rest));
    }
    let (number, _) = text.split_at(text.find([',', '}'])?);
    Some((number.parse().ok()?, &text[number.len()..]))
}

fn extend(values: &mut Vec<f64>, packed: &[u8]) -> Result<(), Malformed> {
    let (doubles, rest) = packed.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(Malformed);
    }
    values.extend(doubles.iter().map(|bytes| f64::from_le_bytes(*bytes)));
    Ok(())
}

/// Puts a tensor of bins (left edge, right edge, count) into the lists of the next row.
///
/// False if it is of another shape. `extra` keeps the type of the tensor where it is not double, and
/// the bins where they have gaps.
pub fn push_tensor(
    tensor: &Tensor<'_>,
    rows: &mut HistogramRows,
    extra: &mut String,
) -> Result<bool, Malformed> {
    if !matches!(tensor.dims(), [_, 3]) || !matches!(tensor.dtype, Dtype::Double | Dtype::Float) {
        return Ok(false);
    }
    let doubles = tensor.doubles()?;
    let (bins, _) = doubles.as_chunks::<3>();
    let edges = &mut rows.edges.values;
    edges.extend(bins.iter().map(|[left, ..]| *left));
    edges.extend(bins.last().map(|[_, right, _]| *right));
    rows.counts
        .values
        .extend(bins.iter().map(|[.., count]| *count));
    let is_next = |pair: &[[f64; 3]]| pair[0][1].to_bits() == pair[1][0].to_bits();
    let has_gaps = !bins.windows(2).all(is_next);
    if tensor.dtype == Dtype::Float {
        extra.push_str("{\"dtype\":\"float32\"");
    }
    if has_gaps {
        extra.push_str(if extra.is_empty() {
            "{\"bins\":"
        } else {
            ",\"bins\":"
        });
        push_list(extra, bins, |extra, bin| {
            push_list(extra, bin, |e, v| push_float(e, *v))
        });
    }
    if !extra.is_empty() {
        extra.push('}');
    }
    Ok(true)
}

/// A list as JSON.
pub fn push_list<T>(text: &mut String, items: &[T], mut push: impl FnMut(&mut String, &T)) {
    text.push('[');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        push(text, item);
    }
    text.push(']');
}

/// A float as `runferry.tables` reads it back, to the last bit.
pub fn push_float(text: &mut String, value: f64) {
    const WHOLE: f64 = 1e15;
    if value.abs() < WHOLE
        && value == (value as i64) as f64
        && value.to_bits() != (-0.0f64).to_bits()
    {
        push_whole(text, value as i64);
        text.push_str(".0");
    } else if value.is_finite() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{value:?}");
    } else {
        text.push_str(match value {
            f64::INFINITY => "{\"$float\":\"inf\"}",
            f64::NEG_INFINITY => "{\"$float\":\"-inf\"}",
            _ => "{\"$float\":\"nan\"}",
        });
    }
}

/// Digit by digit: counts are most of what is written.
fn push_whole(text: &mut String, value: i64) {
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        text.push('-');
    }
    text.extend(digits[start..].iter().map(|digit| char::from(*digit)));
}
