//! Owns what we find of our own in an event file: where chunks end, and which tags are taken.

use std::io::{self, Read};

use crate::protobuf::{Fields, Malformed, Wire};
use crate::tensorboard::event::EventParts;
use crate::tensorboard::fields::{summary, tensor};
use crate::tensorboard::metadata::Metadata;
use crate::tensorboard::plugin::name;
use crate::tensorboard::value::{Form, ValueParts};
use crate::tfrecord::{FRAME, WholeRecords};

/// One value of plugin "runferry".
pub struct Mark {
    pub tag: String,
    /// Behind its record.
    pub end: u64,
    /// What it says, where that was asked for.
    pub json: Option<Vec<u8>>,
}

#[derive(Default)]
pub struct Marks {
    pub marks: Vec<Mark>,
    /// Tag, plugin, and the end of the record that says so first.
    pub tags: Vec<(String, String, u64)>,
}

/// Reads as far as records are whole; what the tags in `wanted` say is kept.
pub fn marks<R: Read>(records: &mut WholeRecords<R>, wanted: &[String]) -> io::Result<Marks> {
    let mut found = Marks::default();
    loop {
        let start = records.offset();
        let Some(payload) = records.next_record()? else {
            return Ok(found);
        };
        let end = start + (payload.len() + FRAME) as u64;
        // what no parser understands is not ours
        let _ = take_event(payload, end, wanted, &mut found);
    }
}

fn take_event(
    payload: &[u8],
    end: u64,
    wanted: &[String],
    found: &mut Marks,
) -> Result<(), Malformed> {
    let event = EventParts::of(payload)?;
    for value in nested(event.summary(), summary::VALUE) {
        let value = ValueParts::of(value?)?;
        let Some(metadata) = value.metadata else {
            continue;
        };
        let plugin = Metadata::of(metadata)?.plugin;
        let tag = text(value.tag);
        if plugin == name::RUNFERRY {
            let is_wanted = wanted.contains(&tag);
            let json = is_wanted.then(|| content(&value)).transpose()?;
            let json = json.map(<[u8]>::to_vec);
            found.marks.push(Mark { tag, end, json });
        } else {
            found.tags.push((tag, text(plugin), end));
        }
    }
    Ok(())
}

/// Tag and content of the value of ours that an event holds, if it is one.
pub fn own_value(payload: &[u8]) -> Option<(String, Vec<u8>)> {
    let event = EventParts::of(payload).ok()?;
    let value = nested(event.summary(), summary::VALUE).next()?.ok()?;
    let value = ValueParts::of(value).ok()?;
    let plugin = Metadata::of(value.metadata?).ok()?.plugin;
    (plugin == name::RUNFERRY).then(|| {
        content(&value)
            .map(|said| (text(value.tag), said.to_vec()))
            .ok()
    })?
}

/// The first string of a value's tensor; empty if there is none.
fn content<'a>(value: &ValueParts<'a>) -> Result<&'a [u8], Malformed> {
    match value.form {
        Form::Tensor(message) => nested(message, tensor::STRING_VAL)
            .next()
            .unwrap_or(Ok(&[])),
        _ => Ok(&[]),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The messages and strings under this number.
fn nested(message: &[u8], number: u32) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    Fields::new(message).filter_map(move |field| match field {
        Ok((found, Wire::Bytes(inner))) if found == number => Some(Ok(inner)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}
