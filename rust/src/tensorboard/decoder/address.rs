//! Owns the address of an event's rows: what `Event` says, and what field 1517 says better.

use crate::columns::At;
use crate::damage::Reason;
use crate::tensorboard::event::EventParts;
use crate::tensorboard::time::ns_of;

/// The address, and what is wrong with its time; `seq` is the number that is next.
#[inline]
pub fn address_of(parts: &EventParts<'_>, seq: i64) -> (At, Option<Reason>) {
    let (time, reason) = ns_of(parts.wall_time);
    let at = At {
        step: Some(parts.step),
        step_frac: None,
        time,
        seq,
    };
    let Some(own) = parts.own() else {
        return (at, reason);
    };
    let is_told = own.time_is_null || own.time_ns.is_some();
    let at = At {
        step: at.step.filter(|_| !own.step_is_null),
        step_frac: own.step_frac,
        time: own.time_ns.or(time).filter(|_| !own.time_is_null),
        seq: own.seq.unwrap_or(seq),
    };
    (at, reason.filter(|_| !is_told))
}
