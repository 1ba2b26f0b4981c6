//! Owns what is handed on as a record: events that are no rows, and those that nothing here knows.

use crate::protobuf::{Fields, Malformed, Wire};

/// A record for which there is no column.
#[derive(Debug)]
pub struct OtherRecord {
    pub name: &'static str,
    pub offset: u64,
    pub length: u64,
    pub seq: i64,
    /// Nanoseconds since the epoch.
    pub time: Option<i64>,
    pub message: Message,
}

/// What a record holds.
#[derive(Debug)]
pub enum Message {
    Version(Vec<u8>),
    /// A message of the schema, and the event with nothing else in it.
    Typed {
        bytes: Vec<u8>,
        step: Option<i64>,
        event: Vec<u8>,
    },
    Runferry {
        tag: Vec<u8>,
        json: Vec<u8>,
    },
    Unknown {
        tag: Vec<u8>,
        plugin: Vec<u8>,
        step: i64,
        event: Vec<u8>,
    },
}

/// What `HParamsPluginData` holds: record type and message; None if it is nothing known.
pub fn hparams_of(content: &[u8]) -> Result<Option<(&'static str, &[u8])>, Malformed> {
    let mut found = None;
    for field in Fields::new(content) {
        let (name, message) = match field? {
            (1, Wire::Varint(0)) => continue,
            (2, Wire::Bytes(message)) => ("experiment", message),
            (3, Wire::Bytes(message)) => ("session_start_info", message),
            (4, Wire::Bytes(message)) => ("session_end_info", message),
            _ => return Ok(None),
        };
        if found.replace((name, message)).is_some() {
            return Ok(None);
        }
    }
    Ok(found)
}

/// `TaggedRunMetadata`: tag and bytes.
pub fn tagged_of(message: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let (mut tag, mut content) = (&b""[..], &b""[..]);
    for field in Fields::new(message) {
        match field? {
            (1, Wire::Bytes(given)) => tag = given,
            (2, Wire::Bytes(given)) => content = given,
            _ => return Err(Malformed),
        }
    }
    Ok((tag, content))
}
