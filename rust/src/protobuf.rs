//! Owns the wire format of protocol buffers: walks fields, knows no schema, allocates nothing.

pub mod writing;

const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;
const START_GROUP: u8 = 3;
const END_GROUP: u8 = 4;
const FIXED32: u8 = 5;

/// The one byte before a varint field; of numbers below 16, as are all the following.
pub const fn varint_key(number: u32) -> u8 {
    short_key(number, VARINT)
}

/// The one byte before a field of bytes, a text or a message.
pub const fn bytes_key(number: u32) -> u8 {
    short_key(number, BYTES)
}

/// The one byte before a float of 32 bits.
pub const fn fixed32_key(number: u32) -> u8 {
    short_key(number, FIXED32)
}

/// The one byte before a float of 64 bits.
pub const fn fixed64_key(number: u32) -> u8 {
    short_key(number, FIXED64)
}

const fn short_key(number: u32, wire_type: u8) -> u8 {
    assert!(0 < number && number < 16);
    (number << 3) as u8 | wire_type
}

/// Groups (an encoding nobody writes any more) may nest this deep before they are refused.
const GROUP_DEPTH: u32 = 64;

/// The bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// One field's value as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    /// What lies between the start and the end of a group.
    Group(&'a [u8]),
    Fixed32(u32),
}

/// The fields of a message, in wire order; ends after the first malformed one.
#[derive(Clone)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The bytes not walked yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    fn step(&mut self) -> Result<(u32, Wire<'a>), Malformed> {
        let (number, wire_type) = split_tag(varint(&mut self.rest)?)?;
        Ok((
            number,
            value(&mut self.rest, number, wire_type, GROUP_DEPTH)?,
        ))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Wire<'a>), Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let step = self.step();
        if step.is_err() {
            self.rest = &[];
        }
        Some(step)
    }
}

/// Takes the next field off the front, if it is bytes under this one-byte key.
///
/// The way through messages that are mostly one repeated field; what it leaves is for `Fields`.
#[inline(always)]
pub fn take_bytes_field<'a>(rest: &mut &'a [u8], key: u8) -> Option<&'a [u8]> {
    if let [first, length @ ..0x80, tail @ ..] = *rest
        && *first == key
        && let Some((field, tail)) = tail.split_at_checked(usize::from(*length))
    {
        *rest = tail;
        return Some(field);
    }
    let mut tail = match *rest {
        [first, tail @ ..] if *first == key => tail,
        _ => return None,
    };
    let length = varint(&mut tail).ok()?;
    let field = bytes(&mut tail, length).ok()?;
    *rest = tail;
    Some(field)
}

/// Takes the next field off the front, whatever it is; None at the end.
pub fn take_field<'a>(rest: &mut &'a [u8]) -> Option<Result<(u32, Wire<'a>), Malformed>> {
    let mut fields = Fields::new(rest);
    let field = fields.next();
    *rest = fields.rest();
    field
}

/// A signed value that was folded so that small ones stay short.
pub fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Takes a varint off the front.
#[inline(always)]
pub fn varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    if let [first, tail @ ..] = *rest
        && *first < 0x80
    {
        *rest = tail;
        return Ok(u64::from(*first));
    }
    if let [first, second, tail @ ..] = *rest
        && *second < 0x80
    {
        *rest = tail;
        return Ok(u64::from(first & 0x7f) | u64::from(*second) << 7);
    }
    if let [first, second, third, tail @ ..] = *rest
        && *third < 0x80
    {
        *rest = tail;
        let low = u64::from(first & 0x7f) | u64::from(second & 0x7f) << 7;
        return Ok(low | u64::from(*third) << 14);
    }
    long_varint(rest)
}

fn long_varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0u64;
    for (index, byte) in rest.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            if index == 9 && *byte > 1 {
                return Err(Malformed);
            }
            *rest = &rest[index + 1..];
            return Ok(value);
        }
    }
    Err(Malformed)
}

/// Takes `length` bytes off the front.
#[inline]
fn bytes<'a>(rest: &mut &'a [u8], length: u64) -> Result<&'a [u8], Malformed> {
    let length = usize::try_from(length).map_err(|_| Malformed)?;
    let (taken, tail) = rest.split_at_checked(length).ok_or(Malformed)?;
    *rest = tail;
    Ok(taken)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (taken, tail) = rest.split_first_chunk::<N>().ok_or(Malformed)?;
    *rest = tail;
    Ok(*taken)
}

#[inline]
fn split_tag(tag: u64) -> Result<(u32, u8), Malformed> {
    let number = u32::try_from(tag >> 3).map_err(|_| Malformed)?;
    if number == 0 || number >= 1 << 29 {
        return Err(Malformed);
    }
    Ok((number, (tag & 7) as u8))
}

#[inline]
fn value<'a>(
    rest: &mut &'a [u8],
    number: u32,
    wire_type: u8,
    depth: u32,
) -> Result<Wire<'a>, Malformed> {
    Ok(match wire_type {
        VARINT => Wire::Varint(varint(rest)?),
        FIXED64 => Wire::Fixed64(u64::from_le_bytes(array(rest)?)),
        BYTES => {
            let length = varint(rest)?;
            Wire::Bytes(bytes(rest, length)?)
        }
        START_GROUP => Wire::Group(group(rest, number, depth)?),
        FIXED32 => Wire::Fixed32(u32::from_le_bytes(array(rest)?)),
        _ => return Err(Malformed),
    })
}

fn group<'a>(rest: &mut &'a [u8], number: u32, depth: u32) -> Result<&'a [u8], Malformed> {
    let depth = depth.checked_sub(1).ok_or(Malformed)?;
    let whole = *rest;
    loop {
        let length = whole.len() - rest.len();
        let (inner, wire_type) = split_tag(varint(rest)?)?;
        if wire_type == END_GROUP {
            return if inner == number {
                Ok(&whole[..length])
            } else {
                Err(Malformed)
            };
        }
        value(rest, inner, wire_type, depth)?;
    }
}

/// `google.protobuf.Timestamp` as nanoseconds; None if it is malformed or beyond 64 bits.
pub fn timestamp_ns(message: &[u8]) -> Option<i64> {
    let (mut seconds, mut nanoseconds) = (0i64, 0i64);
    for field in Fields::new(message) {
        match field.ok()? {
            (1, Wire::Varint(value)) => seconds = value as i64,
            (2, Wire::Varint(value)) => nanoseconds = i64::from(value as i32),
            _ => {}
        }
    }
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_in_wire_order() {
        let message = [0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x1d, 1, 0, 0, 0];
        let fields: Result<Vec<_>, _> = Fields::new(&message).collect();
        let expected = vec![
            (1, Wire::Varint(150)),
            (2, Wire::Bytes(b"hi")),
            (3, Wire::Fixed32(1)),
        ];
        assert_eq!(fields, Ok(expected));
    }

    #[test]
    fn a_cut_message_is_malformed_and_ends() {
        let mut fields = Fields::new(&[0x12, 0x05, b'h']);
        assert_eq!(fields.next(), Some(Err(Malformed)));
        assert_eq!(fields.next(), None);
    }

    #[test]
    fn a_group_is_skipped_whole_and_deep_ones_are_refused() {
        let message = [0x0b, 0x13, 0x08, 0x01, 0x14, 0x0c, 0x10, 0x02];
        let fields: Result<Vec<_>, _> = Fields::new(&message).collect();
        let group = Wire::Group(&[0x13, 0x08, 0x01, 0x14]);
        assert_eq!(fields, Ok(vec![(1, group), (2, Wire::Varint(2))]));
        assert_eq!(Fields::new(&[0x0b; 100_000]).next(), Some(Err(Malformed)));
    }

    #[test]
    fn varints_of_more_than_64_bits_are_malformed() {
        let mut rest: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(varint(&mut rest), Err(Malformed));
        let mut rest: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(varint(&mut rest), Ok(u64::MAX));
    }

    #[test]
    fn zigzag_unfolds() {
        assert_eq!([0, 1, 2, u64::MAX].map(zigzag), [0, -1, 1, i64::MIN]);
    }
}
