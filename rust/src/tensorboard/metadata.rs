//! Owns `SummaryMetadata`: of which plugin a tag is, and what else is said of it.

use crate::protobuf::{Fields, Malformed, Wire, writing};
use crate::tensorboard::fields::{metadata, plugin_data};

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
        let mut parts = Self::default();
        for field in Fields::new(message) {
            match field? {
                (metadata::PLUGIN_DATA, Wire::Bytes(plugin)) => {
                    for field in Fields::new(plugin) {
                        match field? {
                            (plugin_data::PLUGIN_NAME, Wire::Bytes(name)) => parts.plugin = name,
                            (plugin_data::CONTENT, Wire::Bytes(content)) => parts.content = content,
                            _ => {}
                        }
                    }
                }
                (metadata::DISPLAY_NAME, Wire::Bytes(name)) => parts.display_name = name,
                (metadata::DESCRIPTION, Wire::Bytes(text)) => parts.description = text,
                (metadata::NODE_NAME, Wire::Bytes(name)) => parts.node_name = name,
                (metadata::DATA_CLASS, Wire::Varint(class)) => parts.data_class = class as i32,
                _ => {}
            }
        }
        Ok(parts)
    }
}

/// Metadata that name a plugin and its content; `facts` are fields of `SummaryMetadata`, spelled already.
pub fn plugin_metadata(plugin: &[u8], content: &[u8], facts: &[u8]) -> Vec<u8> {
    let mut plugin_data = Vec::new();
    writing::bytes(&mut plugin_data, plugin_data::PLUGIN_NAME, plugin);
    if !content.is_empty() {
        writing::bytes(&mut plugin_data, plugin_data::CONTENT, content);
    }
    let mut raw = Vec::new();
    writing::bytes(&mut raw, metadata::PLUGIN_DATA, &plugin_data);
    raw.extend_from_slice(facts);
    raw
}

/// Metadata that say the node, too, by which a value is told from others of its tag.
pub fn with_node_name(raw: Option<&[u8]>, node_name: &[u8]) -> Vec<u8> {
    let mut written = raw.unwrap_or(b"").to_vec();
    writing::bytes(&mut written, metadata::NODE_NAME, node_name);
    written
}
