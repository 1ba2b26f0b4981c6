//! Owns wall times: doubles of seconds since the epoch, and the nanoseconds that they mean.

use crate::damage::Reason;

const NS: i64 = 1_000_000_000;

/// The nearest nanosecond, and what is wrong with that.
#[inline]
pub fn ns_of(seconds: f64) -> (Option<i64>, Option<Reason>) {
    if !(-9.2e9..9.2e9).contains(&seconds) {
        return (None, Some(Reason::BadTime));
    }
    // Truncation instead of `floor`: that is a call where the processor may not have it.
    let whole = seconds as i64;
    let rest = (seconds - whole as f64) * NS as f64;
    let nearest = (rest + 0.5f64.copysign(rest)) as i64;
    let ns = whole * NS + nearest;
    // From 2^23 s on doubles are more than two nanoseconds apart: the nearest is the same.
    if seconds.abs() < 8_388_608.0 && ns as f64 / NS as f64 != seconds {
        return (Some(ns), Some(Reason::RoundedTime));
    }
    (Some(ns), None)
}

/// The double that TensorBoard shows; whether it gives these very nanoseconds back is for `ns_of`.
pub fn wall_time(time_ns: i64) -> f64 {
    let (seconds, rest) = (time_ns.div_euclid(NS), time_ns.rem_euclid(NS));
    seconds as f64 + rest as f64 / NS as f64
}
