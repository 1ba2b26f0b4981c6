//! Owns rows as events: each source row one record, with what TensorBoard has no place for in 1517.

use std::collections::HashMap;

use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};

use crate::event_decoder::ns_of;
use crate::event_frame;
use crate::event_histogram::message_of;
use crate::event_rows::{AddressColumns, BadColumn, Lists, RowAddress, Words, primitive, strings};
use crate::event_spelling::{
    Plugin, bucket_tensor, bytes, bytes_header, double_tensor, doubles, histogram_message,
    simple_value, string_tensor, varint, varint_field, zigzag,
};
use crate::event_tags::{Spelled, Tags};

/// The field of `Event` that only we read; every other parser skips it.
pub const OURS: u32 = 1517;

/// What a value is when its form does not say so.
pub mod kind {
    pub const AS_SPELLED: u8 = 0;
    pub const FLOAT64: u8 = 1;
    pub const INT: u8 = 3;
    pub const BOOL: u8 = 4;
    pub const NULL: u8 = 5;
    pub const EXACT_INT: u8 = 6;
    pub const JSON: u8 = 7;
    pub const EXACT_FLOAT64: u8 = 8;
    /// Called a float of 32 bits, and none.
    pub const WIDE_FLOAT32: u8 = 9;
}

const STEP_IS_NULL: u64 = 1;
const TIME_IS_NULL: u64 = 2;

const POINT_KINDS: [&str; 5] = ["float64", "float32", "int", "bool", "null"];

#[derive(Debug)]
pub enum Error {
    Column(String),
    /// Microseconds since the epoch that 64 bits of nanoseconds cannot hold.
    TimeBeyond(i64),
}

impl From<BadColumn> for Error {
    fn from(column: BadColumn) -> Self {
        Self::Column(column.0)
    }
}

/// Turns tables into records, appended to `out`, which the caller empties as it likes.
pub struct EventEncoder {
    pub out: Vec<u8>,
    pub tags: Tags,
    /// Whether scalars that 32 bits would round are spelled as doubles.
    doubles: bool,
    /// The last time that was known: rows without one are shown there.
    shown_time: f64,
    values: Vec<u8>,
    ours: Ours,
    /// Scratch for the field 1517.
    spelled: Vec<u8>,
}

/// The field 1517 of one event.
#[derive(Default)]
struct Ours {
    kinds: Vec<u8>,
    exact: Vec<u8>,
    doubles: Vec<u8>,
    histograms: Vec<u8>,
}

impl Ours {
    /// Keeps an integer; the kind that says so.
    fn int(&mut self, value: i64) -> u8 {
        varint(&mut self.exact, zigzag(value));
        kind::EXACT_INT
    }

    /// Keeps a double; the kind that says so.
    fn double(&mut self, value: f64, kind: u8) -> u8 {
        self.doubles.extend_from_slice(&value.to_le_bytes());
        kind
    }

    fn clear(&mut self) {
        self.kinds.clear();
        self.exact.clear();
        self.doubles.clear();
        self.histograms.clear();
    }
}

/// The double that TensorBoard shows for a time in nanoseconds.
fn wall_time(time_ns: i64) -> f64 {
    let (seconds, rest) = (
        time_ns.div_euclid(1_000_000_000),
        time_ns.rem_euclid(1_000_000_000),
    );
    seconds as f64 + rest as f64 / 1e9
}

impl EventEncoder {
    pub fn new(known: HashMap<String, String>, doubles: bool) -> Self {
        Self {
            doubles,
            out: Vec::new(),
            tags: Tags::new(known),
            shown_time: 0.0,
            values: Vec::new(),
            ours: Ours::default(),
            spelled: Vec::new(),
        }
    }

    /// An event that is spelled already. Returns the place of its payload in `out`.
    pub fn event(&mut self, payload: &[u8]) -> usize {
        let at = event_frame::begin(&mut self.out);
        self.out.extend_from_slice(payload);
        event_frame::end(&mut self.out, at);
        at + event_frame::HEADER
    }

    /// Rows of `tables.POINTS` until `enough` bytes wait; false when all are through.
    ///
    /// All are spelled as floats of 32 bits, since TensorBoard's data server shows no others; or, if
    /// `doubles` are asked for, as doubles where the former round.
    pub fn points(&mut self, rows: &mut PointRows, enough: usize) -> Result<bool, Error> {
        let doubles = self.doubles;
        self.rows(
            &rows.address,
            &mut rows.tags,
            &mut rows.next,
            enough,
            Plugin::Scalars,
            {
                |row, spelled, values, ours: &mut Ours| {
                    let value = match rows.value.is_valid(row) {
                        true => rows.value.value(row),
                        false => f64::NAN,
                    };
                    let is_exact = is_float32(value);
                    let as_double = doubles && !is_exact;
                    if as_double {
                        put_value(values, spelled, &double_tensor(value));
                    } else {
                        put_value(values, spelled, &simple_value(value as f32));
                    }
                    let kind = match POINT_KINDS[usize::from(rows.kind.at(row))] {
                        _ if rows.value.is_null(row) => kind::NULL,
                        "float32" if is_exact => kind::AS_SPELLED,
                        "float32" => ours.double(value, kind::WIDE_FLOAT32),
                        "int" if rows.value_i64.is_valid(row) => {
                            ours.int(rows.value_i64.value(row))
                        }
                        "int" if !is_exact && !as_double => ours.int(value as i64),
                        "int" => kind::INT,
                        "bool" => kind::BOOL,
                        "null" => kind::NULL,
                        _ if as_double => kind::AS_SPELLED,
                        _ if is_exact => kind::FLOAT64,
                        _ => ours.double(value, kind::EXACT_FLOAT64),
                    };
                    ours.kinds.push(kind);
                }
            },
        )
    }

    /// Rows of `tables.TEXTS`.
    pub fn texts(&mut self, rows: &mut TextRows, enough: usize) -> Result<bool, Error> {
        let mut tensor = Vec::new();
        self.rows(
            &rows.address,
            &mut rows.tags,
            &mut rows.next,
            enough,
            Plugin::Text,
            {
                |row, spelled, values, ours: &mut Ours| {
                    tensor.clear();
                    let text = rows.text.is_valid(row).then(|| rows.text.value(row));
                    string_tensor(&mut tensor, text.unwrap_or_default().as_bytes());
                    put_value(values, spelled, &tensor);
                    ours.kinds.push(match (text, rows.form.at(row)) {
                        (None, _) => kind::NULL,
                        (_, 0) => kind::AS_SPELLED,
                        _ => kind::JSON,
                    });
                }
            },
        )
    }

    /// Rows of `tables.HISTOGRAMS`: buckets, or the message that a histogram came as.
    pub fn histograms(&mut self, rows: &mut HistogramRows, enough: usize) -> Result<bool, Error> {
        let mut shown = Vec::new();
        self.rows(
            &rows.address,
            &mut rows.tags,
            &mut rows.next,
            enough,
            Plugin::Histograms,
            {
                |row, spelled, values, ours: &mut Ours| {
                    shown.clear();
                    let lists = (rows.edges.at(row), rows.counts.at(row));
                    let extra = rows.extra.is_valid(row).then(|| rows.extra.value(row));
                    let is_said = put_histogram(&mut shown, lists, extra);
                    put_value(values, spelled, &shown);
                    let lists = (!is_said).then_some(lists);
                    put_exact(&mut ours.histograms, rows.counts_kind.at(row), extra, lists);
                }
            },
        )
    }

    /// One event for all neighbours that share an address. False when all rows are through.
    fn rows(
        &mut self,
        address: &AddressColumns,
        tags: &mut [Option<Spelled>],
        next: &mut usize,
        enough: usize,
        plugin: Plugin,
        mut put: impl FnMut(usize, &mut Spelled, &mut Vec<u8>, &mut Ours),
    ) -> Result<bool, Error> {
        // the first row of a table states its number
        let mut expected = next.checked_sub(1).map(|last| address.at(last).seq + 1);
        while *next < address.rows() {
            if self.out.len() >= enough {
                return Ok(true);
            }
            let at = address.at(*next);
            self.values.clear();
            self.ours.clear();
            while *next < address.rows() && address.at(*next) == at {
                let place = address.place(*next);
                let spelled = tags[place]
                    .get_or_insert_with(|| self.tags.spelled(address.name(place), plugin));
                put(*next, spelled, &mut self.values, &mut self.ours);
                *next += 1;
            }
            self.put_event(&at, expected)?;
            expected = at.seq.checked_add(1);
        }
        Ok(false)
    }

    fn put_event(&mut self, at: &RowAddress, expected: Option<i64>) -> Result<(), Error> {
        let mut ours = std::mem::take(&mut self.spelled);
        ours.clear();
        if expected != Some(at.seq) {
            varint_field(&mut ours, 1, at.seq as u64);
        }
        if let Some(millionths) = at.step_frac {
            varint_field(&mut ours, 2, i64::from(millionths) as u64);
        }
        let flags = if at.step.is_none() { STEP_IS_NULL } else { 0 }
            | if at.time_us.is_none() {
                TIME_IS_NULL
            } else {
                0
            };
        if flags != 0 {
            varint_field(&mut ours, 3, flags);
        }
        if let Some(micros) = at.time_us {
            let below = i64::from(at.time_ns.unwrap_or(0));
            let time_ns = micros
                .checked_mul(1000)
                .and_then(|ns| ns.checked_add(below));
            let time_ns = time_ns.ok_or(Error::TimeBeyond(micros))?;
            self.shown_time = wall_time(time_ns);
            if ns_of(self.shown_time) != (Some(time_ns), None) {
                varint_field(&mut ours, 4, zigzag(time_ns));
            }
        }
        if self.ours.kinds.iter().any(|kind| *kind != kind::AS_SPELLED) {
            bytes(&mut ours, 5, &self.ours.kinds);
        }
        if !self.ours.exact.is_empty() {
            bytes(&mut ours, 6, &self.ours.exact);
        }
        if !self.ours.doubles.is_empty() {
            bytes(&mut ours, 8, &self.ours.doubles);
        }
        ours.extend_from_slice(&self.ours.histograms);
        let frame = event_frame::begin(&mut self.out);
        self.out.push(1 << 3 | 1);
        self.out.extend_from_slice(&self.shown_time.to_le_bytes());
        // a row without a step is shown at its own number
        varint_field(&mut self.out, 2, at.step.unwrap_or(at.seq) as u64);
        bytes(&mut self.out, 5, &self.values);
        if !ours.is_empty() {
            bytes(&mut self.out, OURS, &ours);
        }
        event_frame::end(&mut self.out, frame);
        self.spelled = ours;
        Ok(())
    }
}

/// Whether a float of 32 bits gives back these very 64.
fn is_float32(value: f64) -> bool {
    f64::from(value as f32).to_bits() == value.to_bits()
}

/// One `Summary.value`.
fn put_value(values: &mut Vec<u8>, spelled: &mut Spelled, content: &[u8]) {
    let length = spelled.tag.len() + spelled.metadata.len() + content.len();
    bytes_header(values, 1, length);
    values.extend_from_slice(&spelled.tag);
    values.extend_from_slice(content);
    values.extend_from_slice(&spelled.metadata);
    spelled.metadata.clear();
}

/// What tables have in common: columns, the tags of their keys, the next row.
macro_rules! table_rows {
    ($name:ident { $($field:ident: $type:ty = $read:expr),+ $(,)? }) => {
        pub struct $name {
            address: AddressColumns,
            tags: Vec<Option<Spelled>>,
            next: usize,
            $($field: $type),+
        }

        impl $name {
            pub fn new(batch: &RecordBatch) -> Result<Self, Error> {
                let address = AddressColumns::new(batch)?;
                let tags = (0..address.names()).map(|_| None).collect();
                Ok(Self { address, tags, next: 0, $($field: $read(batch)?),+ })
            }
        }
    };
}

table_rows!(PointRows {
    value: arrow_array::PrimitiveArray<Float64Type> = |batch| primitive(batch, "value"),
    value_i64: arrow_array::PrimitiveArray<Int64Type> = |batch| primitive(batch, "value_i64"),
    kind: Words = |batch| Words::new(batch, "kind", &POINT_KINDS),
});

table_rows!(TextRows {
    text: arrow_array::StringArray = |batch| strings(batch, "text"),
    form: Words = |batch| Words::new(batch, "form", &["text", "json"]),
});

table_rows!(HistogramRows {
    edges: Lists = |batch| Lists::new(batch, "edges"),
    counts: Lists = |batch| Lists::new(batch, "counts"),
    counts_kind: Words = |batch| Words::new(batch, "counts_kind", &["int", "float64"]),
    extra: arrow_array::StringArray = |batch| strings(batch, "extra"),
});

/// Edges and counts, as a row has them.
type HistogramLists<'a> = (Option<&'a [f64]>, Option<&'a [f64]>);

/// Spells what is shown; whether a reader has edges and counts back from it.
fn put_histogram(shown: &mut Vec<u8>, lists: HistogramLists<'_>, extra: Option<&str>) -> bool {
    let (Some(edges), Some(counts)) = lists else {
        bucket_tensor(shown, &[], &[]);
        return false;
    };
    if let Some(statistics) = extra.and_then(|extra| message_of(edges, extra)) {
        histogram_message(shown, &statistics, &edges[1..], counts);
        return true;
    }
    bucket_tensor(shown, edges, counts);
    let has_buckets = !counts.is_empty() && edges.len() == counts.len() + 1;
    has_buckets || (edges.is_empty() && counts.is_empty())
}

/// The field 7: what the shown histogram does not say of a row.
fn put_exact(
    ours: &mut Vec<u8>,
    counts_kind: u8,
    extra: Option<&str>,
    lists: Option<HistogramLists<'_>>,
) {
    let mut exact = Vec::new();
    varint_field(&mut exact, 1, u64::from(counts_kind));
    if let Some(extra) = extra {
        bytes(&mut exact, 2, extra.as_bytes());
    }
    if let Some((edges, counts)) = lists {
        for (number, list) in [(3, edges), (4, counts)] {
            if let Some(list) = list {
                doubles(&mut exact, number, list);
            }
        }
        let nulls = u64::from(edges.is_none()) | u64::from(counts.is_none()) << 1;
        varint_field(&mut exact, 5, nulls);
    }
    bytes(ours, 7, &exact);
}
