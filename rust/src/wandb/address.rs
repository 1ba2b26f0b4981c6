//! Owns steps and times: when a logged value can be one without loss.

use crate::json::Scalar;
use crate::protobuf::{Fields, Wire};
use crate::wandb::keys::ItemValue;
use crate::wandb::sink::scalar_of;

/// A step is a whole number that 64 bits hold, however it is written.
pub fn step_of(value: ItemValue<'_>) -> Option<i64> {
    match scalar_of(value)? {
        Scalar::Int(step) => Some(step),
        Scalar::Float(step) if step == step.trunc() && step.abs() < 2f64.powi(63) => {
            Some(step as i64)
        }
        _ => None,
    }
}

/// `HistoryStep.num`; None if the message is malformed. An empty one is step 0.
pub fn step_field(message: &[u8]) -> Option<i64> {
    let mut step = 0;
    for field in Fields::new(message) {
        if let (1, Wire::Varint(number)) = field.ok()? {
            step = number as i64;
        }
    }
    Some(step)
}

/// Seconds since the epoch as nanoseconds, if the very same seconds can be had back from them.
pub fn time_of(value: ItemValue<'_>) -> Option<i64> {
    match scalar_of(value)? {
        Scalar::Int(seconds) => seconds.checked_mul(1_000_000_000),
        Scalar::Float(seconds) => seconds_to_ns(seconds),
        _ => None,
    }
}

/// Rounded to the nearest nanosecond; None where that would not give the same double back.
fn seconds_to_ns(seconds: f64) -> Option<i64> {
    let whole = seconds.floor();
    if whole.abs() >= 9.2e9 || whole.is_nan() {
        return None;
    }
    // The fraction is exact; its product with 1e9 is off by far less than half a nanosecond.
    let nanoseconds = ((seconds - whole) * 1e9).round_ties_even() as i64;
    let ns = whole as i64 * 1_000_000_000 + nanoseconds;
    // From 2^23 s on doubles are more than two nanoseconds apart: the nearest is the same.
    let is_same = seconds.abs() >= 8_388_608.0 || ns_to_seconds(ns).to_bits() == seconds.to_bits();
    is_same.then_some(ns)
}

/// The double nearest to so many nanoseconds.
pub fn ns_to_seconds(ns: i64) -> f64 {
    let sign = if ns < 0 { "-" } else { "" };
    let (whole, rest) = (
        ns.unsigned_abs() / 1_000_000_000,
        ns.unsigned_abs() % 1_000_000_000,
    );
    fast_float2::parse(format!("{sign}{whole}.{rest:09}")).unwrap_or(f64::NAN)
}
