//! Owns the wire form of `Event`, `Summary.Value` and our own field 1517: fields in any order, unknown
//! ones told.

use crate::protobuf::{Fields, Malformed, Wire, take_bytes_field, varint, zigzag};

/// The field of `Event` that says what TensorBoard has no place for.
const OWN: u32 = 1517;
const SUMMARY: u32 = 5;

/// An event, taken apart. It is small, since it is made two million times.
#[derive(Default)]
pub struct EventParts<'a> {
    pub wall_time: f64,
    pub step: i64,
    summary: &'a [u8],
    rest: Option<Box<Rest<'a>>>,
}

/// What few events hold.
#[derive(Default)]
pub struct Rest<'a> {
    pub own: Option<Own<'a>>,
    /// What holds something else: number and bytes, in the order of the file.
    pub others: Vec<(u32, &'a [u8])>,
    /// The first field that is no part of an event.
    pub stranger: Option<u32>,
    /// Several summaries are one.
    summary: Vec<u8>,
}

impl<'a> EventParts<'a> {
    #[inline]
    pub fn of(event: &'a [u8]) -> Result<Self, Malformed> {
        let mut parts = Self::default();
        let mut rest = event;
        // As every writer has it: time, step unless it is zero, summary.
        if let [0x09, tail @ ..] = rest
            && let Some((time, tail)) = tail.split_first_chunk::<8>()
        {
            parts.wall_time = f64::from_le_bytes(*time);
            rest = tail;
        }
        if let [0x10, tail @ ..] = rest {
            rest = tail;
            parts.step = varint(&mut rest)? as i64;
        }
        if let Some(summary) = take_bytes_field(&mut rest, 0x2a) {
            parts.summary = summary;
        }
        if !rest.is_empty() {
            parts.add(rest)?;
        }
        Ok(parts)
    }

    #[inline(never)]
    fn add(&mut self, fields: &'a [u8]) -> Result<(), Malformed> {
        let rest = self.rest.get_or_insert_default();
        for field in Fields::new(fields) {
            match field? {
                (1, Wire::Fixed64(bits)) => self.wall_time = f64::from_bits(bits),
                (2, Wire::Varint(step)) => self.step = step as i64,
                (SUMMARY, Wire::Bytes(summary)) if self.summary.is_empty() => {
                    self.summary = summary;
                }
                (SUMMARY, Wire::Bytes(summary)) => {
                    if rest.summary.is_empty() {
                        rest.summary = self.summary.to_vec();
                    }
                    rest.summary.extend_from_slice(summary);
                }
                (number @ (3 | 4 | 6..=10), Wire::Bytes(bytes)) => {
                    rest.others.push((number, bytes));
                }
                (OWN, Wire::Bytes(own)) => rest.own = Some(Own::of(own)?),
                (number, _) => rest.stranger = rest.stranger.or(Some(number)),
            }
        }
        Ok(())
    }

    #[inline]
    pub fn summary(&self) -> &[u8] {
        match &self.rest {
            Some(rest) if !rest.summary.is_empty() => &rest.summary,
            _ => self.summary,
        }
    }

    #[inline]
    pub fn rest(&self) -> Option<&Rest<'a>> {
        self.rest.as_deref()
    }

    #[inline]
    pub fn own(&self) -> Option<&Own<'a>> {
        self.rest.as_ref()?.own.as_ref()
    }
}

/// What our writer says of an event beyond what TensorBoard knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Own<'a> {
    pub seq: Option<i64>,
    pub step_frac: Option<i32>,
    pub step_is_null: bool,
    pub time_is_null: bool,
    pub time_ns: Option<i64>,
    /// One for each value of the event.
    pub kinds: &'a [u8],
    /// The integers that a double cannot hold, in order.
    pub exact: Vec<i64>,
    /// The doubles that are shown as floats of 32 bits, in order.
    pub doubles: &'a [[u8; 8]],
    /// One for each histogram of the event.
    pub histograms: Vec<OwnHistogram<'a>>,
    /// The event shows what a record of ours says.
    pub is_shown_only: bool,
}

/// What our writer says of a histogram.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnHistogram<'a> {
    pub has_float_counts: bool,
    pub extra: Option<&'a [u8]>,
    /// Edges and counts, where the bins do not tell them.
    pub lists: Option<[Option<Vec<f64>>; 2]>,
}

impl<'a> OwnHistogram<'a> {
    fn of(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut own = Self::default();
        let mut lists = [Vec::new(), Vec::new()];
        for field in Fields::new(message) {
            match field? {
                (1, Wire::Varint(kind)) => own.has_float_counts = kind != 0,
                (2, Wire::Bytes(extra)) => own.extra = Some(extra),
                (number @ (3 | 4), Wire::Bytes(packed)) => {
                    let (doubles, _) = packed.as_chunks::<8>();
                    let doubles = doubles.iter().map(|bytes| f64::from_le_bytes(*bytes));
                    lists[number as usize - 3].extend(doubles);
                }
                (5, Wire::Varint(nulls)) => {
                    let [edges, counts] = std::mem::take(&mut lists);
                    let valid = |list, bit| (nulls & bit == 0).then_some(list);
                    own.lists = Some([valid(edges, 1), valid(counts, 2)]);
                }
                _ => {}
            }
        }
        Ok(own)
    }
}

impl<'a> Own<'a> {
    fn of(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut own = Self::default();
        for field in Fields::new(message) {
            match field? {
                (1, Wire::Varint(seq)) => own.seq = Some(seq as i64),
                (2, Wire::Varint(millionths)) => own.step_frac = Some(millionths as i32),
                (3, Wire::Varint(flags)) => {
                    own.step_is_null = flags & 1 != 0;
                    own.time_is_null = flags & 2 != 0;
                    own.is_shown_only = flags & 4 != 0;
                }
                (4, Wire::Varint(folded)) => own.time_ns = Some(zigzag(folded)),
                (5, Wire::Bytes(kinds)) => own.kinds = kinds,
                (6, Wire::Varint(folded)) => own.exact.push(zigzag(folded)),
                (6, Wire::Bytes(mut packed)) => {
                    while !packed.is_empty() {
                        own.exact.push(zigzag(varint(&mut packed)?));
                    }
                }
                (8, Wire::Bytes(packed)) => own.doubles = packed.as_chunks().0,
                (7, Wire::Bytes(histogram)) => {
                    own.histograms.push(OwnHistogram::of(histogram)?);
                }
                _ => {}
            }
        }
        Ok(own)
    }
}

/// What a value holds, as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form<'a> {
    None,
    Simple(f32),
    Image(&'a [u8]),
    Histogram(&'a [u8]),
    Audio(&'a [u8]),
    Tensor(&'a [u8]),
}

/// A value of a summary, taken apart.
#[derive(Clone, Copy, Debug)]
pub struct ValueParts<'a> {
    pub raw: &'a [u8],
    pub tag: &'a [u8],
    pub form: Form<'a>,
    pub metadata: Option<&'a [u8]>,
    /// The node of the graph that made it; empty where that is what the tag says.
    pub node_name: &'a [u8],
    /// It holds something that no column says, or one thing twice.
    pub is_odd: bool,
}

impl<'a> ValueParts<'a> {
    #[inline]
    pub fn of(value: &'a [u8]) -> Result<Self, Malformed> {
        match Self::plain(value) {
            Some(parts) => Ok(parts),
            None => Self::any(value),
        }
    }

    /// As every writer has it: tag, number or tensor, metadata.
    #[inline(always)]
    fn plain(raw: &'a [u8]) -> Option<Self> {
        let mut rest = raw;
        let tag = take_bytes_field(&mut rest, 0x0a)?;
        let form = if let [0x15, tail @ ..] = rest {
            let (bits, tail) = tail.split_first_chunk::<4>()?;
            rest = tail;
            Form::Simple(f32::from_le_bytes(*bits))
        } else {
            Form::Tensor(take_bytes_field(&mut rest, 0x42)?)
        };
        let metadata = take_bytes_field(&mut rest, 0x4a);
        rest.is_empty().then_some(Self {
            raw,
            tag,
            form,
            metadata,
            node_name: b"",
            is_odd: false,
        })
    }

    #[inline(never)]
    fn any(raw: &'a [u8]) -> Result<Self, Malformed> {
        let mut parts = Self {
            raw,
            tag: b"",
            form: Form::None,
            metadata: None,
            node_name: b"",
            is_odd: false,
        };
        for field in Fields::new(raw) {
            let form = match field? {
                (1, Wire::Bytes(tag)) => {
                    parts.tag = tag;
                    continue;
                }
                (9, Wire::Bytes(metadata)) => {
                    parts.is_odd |= parts.metadata.is_some();
                    parts.metadata = Some(metadata);
                    continue;
                }
                (7, Wire::Bytes(name)) => {
                    parts.node_name = name;
                    continue;
                }
                (2, Wire::Fixed32(bits)) => Form::Simple(f32::from_bits(bits)),
                (4, Wire::Bytes(image)) => Form::Image(image),
                (5, Wire::Bytes(histogram)) => Form::Histogram(histogram),
                (6, Wire::Bytes(audio)) => Form::Audio(audio),
                (8, Wire::Bytes(tensor)) => Form::Tensor(tensor),
                _ => {
                    parts.is_odd = true;
                    continue;
                }
            };
            parts.is_odd |= parts.form != Form::None;
            parts.form = form;
        }
        if parts.node_name == parts.tag {
            parts.node_name = b"";
        }
        Ok(parts)
    }
}

/// The event without its summary, and with this one value as its summary if there is one.
pub fn with_one_value(event: &[u8], value: Option<&[u8]>) -> Vec<u8> {
    let mut written = Vec::with_capacity(64 + value.map_or(0, <[u8]>::len));
    let mut fields = Fields::new(event);
    let mut start = 0;
    while let Some(Ok((number, _))) = fields.next() {
        let end = event.len() - fields.rest().len();
        if number != SUMMARY {
            written.extend_from_slice(&event[start..end]);
        }
        start = end;
    }
    if let Some(value) = value {
        let mut summary = vec![0x0a];
        push_varint(&mut summary, value.len());
        written.push(0x2a);
        push_varint(&mut written, summary.len() + value.len());
        written.extend_from_slice(&summary);
        written.extend_from_slice(value);
    }
    written
}

fn push_varint(bytes: &mut Vec<u8>, mut value: usize) {
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// A field of `SummaryMetadata` that is none of TensorBoard's: a value's `node_name`.
const NODE_NAME: u32 = 7;

/// Metadata that say the node, too, by which a value is told from others of its tag.
pub fn with_node_name(metadata: Option<&[u8]>, node_name: &[u8]) -> Vec<u8> {
    let mut written = metadata.unwrap_or(b"").to_vec();
    written.push((NODE_NAME << 3 | 2) as u8);
    push_varint(&mut written, node_name.len());
    written.extend_from_slice(node_name);
    written
}

/// `SummaryMetadata`.
#[derive(Default)]
pub struct Metadata<'a> {
    pub plugin: &'a [u8],
    pub content: &'a [u8],
    pub display_name: &'a [u8],
    pub description: &'a [u8],
    pub data_class: i32,
    pub node_name: &'a [u8],
}

impl<'a> Metadata<'a> {
    pub fn of(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut metadata = Self::default();
        for field in Fields::new(message) {
            match field? {
                (1, Wire::Bytes(plugin)) => {
                    for field in Fields::new(plugin) {
                        match field? {
                            (1, Wire::Bytes(name)) => metadata.plugin = name,
                            (2, Wire::Bytes(content)) => metadata.content = content,
                            _ => {}
                        }
                    }
                }
                (2, Wire::Bytes(name)) => metadata.display_name = name,
                (3, Wire::Bytes(text)) => metadata.description = text,
                (NODE_NAME, Wire::Bytes(name)) => metadata.node_name = name,
                (4, Wire::Varint(class)) => metadata.data_class = class as i32,
                _ => {}
            }
        }
        Ok(metadata)
    }
}
