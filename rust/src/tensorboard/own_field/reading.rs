//! Owns reading field 1517.

use super::{
    EXACT_DOUBLES, EXACT_INTS, FLAGS, HISTOGRAM, KINDS, Kind, SEQ, STEP_FRAC, TIME_NS, flag,
    histogram,
};
use crate::protobuf::{Fields, Malformed, Wire, varint, zigzag};

/// The field, taken apart.
#[derive(Debug, Default)]
pub struct Own<'a> {
    pub seq: Option<i64>,
    pub step_frac: Option<i32>,
    pub step_is_null: bool,
    pub time_is_null: bool,
    pub time_ns: Option<i64>,
    /// The event shows what a record of ours says.
    pub is_shown_only: bool,
    kinds: &'a [u8],
    pub exact_ints: Vec<i64>,
    pub exact_doubles: &'a [[u8; 8]],
    /// One for each histogram of the event.
    pub histograms: Vec<OwnHistogram<'a>>,
}

impl<'a> Own<'a> {
    pub fn of(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut own = Self::default();
        for field in Fields::new(message) {
            match field? {
                (SEQ, Wire::Varint(seq)) => own.seq = Some(seq as i64),
                (STEP_FRAC, Wire::Varint(millionths)) => own.step_frac = Some(millionths as i32),
                (FLAGS, Wire::Varint(flags)) => {
                    own.step_is_null = flags & flag::STEP_IS_NULL != 0;
                    own.time_is_null = flags & flag::TIME_IS_NULL != 0;
                    own.is_shown_only = flags & flag::IS_SHOWN_ONLY != 0;
                }
                (TIME_NS, Wire::Varint(folded)) => own.time_ns = Some(zigzag(folded)),
                (KINDS, Wire::Bytes(kinds)) => own.kinds = kinds,
                (EXACT_INTS, Wire::Varint(folded)) => own.exact_ints.push(zigzag(folded)),
                (EXACT_INTS, Wire::Bytes(mut packed)) => {
                    while !packed.is_empty() {
                        own.exact_ints.push(zigzag(varint(&mut packed)?));
                    }
                }
                (EXACT_DOUBLES, Wire::Bytes(packed)) => own.exact_doubles = packed.as_chunks().0,
                (HISTOGRAM, Wire::Bytes(message)) => {
                    own.histograms.push(OwnHistogram::of(message)?);
                }
                _ => {}
            }
        }
        Ok(own)
    }

    /// What the value at this place of the event is; None if it is something unheard of.
    #[inline]
    pub fn kind(&self, place: usize) -> Option<Kind> {
        self.kinds
            .get(place)
            .map_or(Some(Kind::AsSpelled), |byte| Kind::of(*byte))
    }
}

/// What is said of a histogram.
#[derive(Debug, Default)]
pub struct OwnHistogram<'a> {
    pub has_float_counts: bool,
    pub extra: Option<&'a [u8]>,
    /// Edges and counts, where the bins do not tell them.
    pub lists: Option<[Option<Vec<f64>>; 2]>,
}

impl<'a> OwnHistogram<'a> {
    fn of(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut own = Self::default();
        let (mut edges, mut counts, mut nulls) = (Vec::new(), Vec::new(), None);
        for field in Fields::new(message) {
            match field? {
                (histogram::COUNTS_KIND, Wire::Varint(kind)) => own.has_float_counts = kind != 0,
                (histogram::EXTRA, Wire::Bytes(extra)) => own.extra = Some(extra),
                (histogram::EDGES, Wire::Bytes(packed)) => extend(&mut edges, packed),
                (histogram::COUNTS, Wire::Bytes(packed)) => extend(&mut counts, packed),
                (histogram::NULL_LISTS, Wire::Varint(bits)) => nulls = Some(bits),
                _ => {}
            }
        }
        own.lists = nulls.map(|nulls| {
            let valid = |list, bit| (nulls & bit == 0).then_some(list);
            [
                valid(edges, histogram::EDGES_ARE_NULL),
                valid(counts, histogram::COUNTS_ARE_NULL),
            ]
        });
        Ok(own)
    }
}

fn extend(list: &mut Vec<f64>, packed: &[u8]) {
    let (doubles, _) = packed.as_chunks::<8>();
    list.extend(doubles.iter().map(|bytes| f64::from_le_bytes(*bytes)));
}
