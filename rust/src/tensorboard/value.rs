//! Owns the wire form of `Summary.Value`, and of the summary that holds values.

use crate::protobuf::{
    Fields, Malformed, Wire, bytes_key, fixed32_key, take_bytes_field, take_field,
};
use crate::tensorboard::fields::{summary, value};

pub const VALUE_KEY: u8 = bytes_key(summary::VALUE);
const TAG_KEY: u8 = bytes_key(value::TAG);
const SIMPLE_VALUE_KEY: u8 = fixed32_key(value::SIMPLE_VALUE);
const TENSOR_KEY: u8 = bytes_key(value::TENSOR);
const METADATA_KEY: u8 = bytes_key(value::METADATA);

/// The values of a summary, in order; what else stands there is skipped.
pub fn values_of(summary: &[u8]) -> Result<Vec<ValueParts<'_>>, Malformed> {
    let mut values = Vec::new();
    let mut rest = summary;
    while !rest.is_empty() {
        match take_bytes_field(&mut rest, VALUE_KEY) {
            Some(value) => values.push(ValueParts::of(value)?),
            None => match take_field(&mut rest) {
                Some(Ok(_)) | None => {}
                Some(Err(malformed)) => return Err(malformed),
            },
        }
    }
    Ok(values)
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
    pub fn of(raw: &'a [u8]) -> Result<Self, Malformed> {
        match Self::plain(raw) {
            Some(parts) => Ok(parts),
            None => Self::any(raw),
        }
    }

    /// As every writer has it: tag, number or tensor, metadata.
    #[inline(always)]
    fn plain(raw: &'a [u8]) -> Option<Self> {
        let mut rest = raw;
        let tag = take_bytes_field(&mut rest, TAG_KEY)?;
        let form = if let [SIMPLE_VALUE_KEY, tail @ ..] = rest {
            let (bits, tail) = tail.split_first_chunk::<4>()?;
            rest = tail;
            Form::Simple(f32::from_le_bytes(*bits))
        } else {
            Form::Tensor(take_bytes_field(&mut rest, TENSOR_KEY)?)
        };
        let metadata = take_bytes_field(&mut rest, METADATA_KEY);
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
                (value::TAG, Wire::Bytes(tag)) => {
                    parts.tag = tag;
                    continue;
                }
                (value::METADATA, Wire::Bytes(metadata)) => {
                    parts.is_odd |= parts.metadata.is_some();
                    parts.metadata = Some(metadata);
                    continue;
                }
                (value::NODE_NAME, Wire::Bytes(name)) => {
                    parts.node_name = name;
                    continue;
                }
                (value::SIMPLE_VALUE, Wire::Fixed32(bits)) => Form::Simple(f32::from_bits(bits)),
                (value::IMAGE, Wire::Bytes(image)) => Form::Image(image),
                (value::HISTOGRAM, Wire::Bytes(histogram)) => Form::Histogram(histogram),
                (value::AUDIO, Wire::Bytes(audio)) => Form::Audio(audio),
                (value::TENSOR, Wire::Bytes(tensor)) => Form::Tensor(tensor),
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
