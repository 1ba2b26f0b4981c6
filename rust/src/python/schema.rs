//! Owns the descriptors of messages, read from `wandb_schema.txt` and `tensorboard_schema.txt` when first
//! needed.

use std::collections::HashMap;
use std::sync::OnceLock;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint64,
    Bool,
    String,
    Bytes,
    /// `google.protobuf.NullValue`.
    Null,
    /// `google.protobuf.Timestamp`.
    Timestamp,
    Enum(usize),
    Message(usize),
}

/// How often a field may stand, and what its absence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// A zero is not written, and not shown.
    Plain,
    /// A zero is shown if it is written.
    Present,
    Repeated,
    /// Repeated messages of a key 1 and a value 2.
    Map,
}

#[derive(Debug)]
pub struct Field {
    pub number: u32,
    pub name: String,
    pub kind: Type,
    pub label: Label,
}

#[derive(Debug, Default)]
pub struct Message {
    /// Sorted by number.
    pub fields: Vec<Field>,
}

impl Message {
    /// The place of a field in `fields`.
    #[inline]
    pub fn place(&self, number: u32) -> Option<usize> {
        let guess = number as usize - 1;
        if self
            .fields
            .get(guess)
            .is_some_and(|field| field.number == number)
        {
            return Some(guess);
        }
        self.fields
            .binary_search_by_key(&number, |field| field.number)
            .ok()
    }
}

#[derive(Debug)]
pub struct Schema {
    pub messages: Vec<Message>,
    /// The words of each enum by number.
    pub enums: Vec<HashMap<i32, String>>,
}

impl Schema {
    /// The place of the first message: in W&B's schema `Record`, the message of every record.
    pub const RECORD: usize = 0;

    /// The schema of `.wandb` files.
    pub fn wandb() -> &'static Self {
        static SCHEMA: OnceLock<Schema> = OnceLock::new();
        SCHEMA.get_or_init(|| Self::parse(include_str!("wandb_schema.txt")))
    }

    /// The schema of what event files hold besides rows.
    pub fn tensorboard() -> &'static Self {
        static SCHEMA: OnceLock<Schema> = OnceLock::new();
        SCHEMA.get_or_init(|| Self::parse(include_str!("tensorboard_schema.txt")))
    }

    /// The place of a message by the name of a field of the first one.
    pub fn message_of(&self, name: &str) -> Option<usize> {
        let mut fields = self.messages[Self::RECORD].fields.iter();
        match fields.find(|field| field.name == name)?.kind {
            Type::Message(place) => Some(place),
            _ => None,
        }
    }

    fn parse(text: &str) -> Self {
        let joined = text.replace("\n  ", " ");
        let lines = |prefix: &str| -> Vec<(String, String)> {
            let rest = joined.lines().filter_map(|line| line.strip_prefix(prefix));
            let split = rest.filter_map(|line| line.split_once([':', ' ']));
            split
                .map(|(name, tail)| (name.to_owned(), tail.trim().to_owned()))
                .collect()
        };
        let (messages, enums) = (lines("message "), lines("enum "));
        let place = |all: &[(String, String)], word: &str| all.iter().position(|(n, _)| n == word);
        let type_of = |word: &str| match place(&enums, word) {
            Some(number) => Type::Enum(number),
            None => place(&messages, word).map_or_else(|| scalar_type(word), Type::Message),
        };
        let field = |text: &str| {
            let mut words = text.split_whitespace();
            let mut next = || words.next().unwrap_or_else(|| panic!("schema: {text}"));
            let (number, name, kind) = (next(), next(), next());
            Field {
                number: number.parse().unwrap_or_else(|_| panic!("schema: {text}")),
                name: name.to_owned(),
                kind: type_of(kind.trim_end_matches(['*', '+', '?'])),
                label: label_of(kind),
            }
        };
        let message = |(_, tail): &(String, String)| {
            let mut fields: Vec<_> = tail
                .split(", ")
                .filter(|t| !t.is_empty())
                .map(field)
                .collect();
            fields.sort_by_key(|field| field.number);
            Message { fields }
        };
        Self {
            messages: messages.iter().map(message).collect(),
            enums: enums.iter().map(|(_, tail)| words_of(tail)).collect(),
        }
    }
}

fn label_of(kind: &str) -> Label {
    match kind.as_bytes().last() {
        Some(b'*') => Label::Repeated,
        Some(b'+') => Label::Map,
        Some(b'?') => Label::Present,
        _ => Label::Plain,
    }
}

fn words_of(tail: &str) -> HashMap<i32, String> {
    let pairs = tail
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='));
    pairs
        .filter_map(|(number, word)| Some((number.parse().ok()?, word.to_owned())))
        .collect()
}

fn scalar_type(word: &str) -> Type {
    match word {
        "double" => Type::Double,
        "float" => Type::Float,
        "int32" => Type::Int32,
        "int64" => Type::Int64,
        "uint32" => Type::Uint32,
        "uint64" => Type::Uint64,
        "sint64" => Type::Sint64,
        "bool" => Type::Bool,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "null" => Type::Null,
        "Timestamp" => Type::Timestamp,
        _ => panic!("schema: no type {word}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_whole_and_begins_with_record() {
        let schema = Schema::wandb();
        let record = &schema.messages[Schema::RECORD];
        let history = record.place(2).map(|place| &record.fields[place]);
        assert_eq!(history.map(|field| field.name.as_str()), Some("history"));
        assert_eq!(record.place(14), None);
        let fields: usize = schema
            .messages
            .iter()
            .map(|message| message.fields.len())
            .sum();
        assert!(schema.messages.len() > 100 && fields > 600);
    }
}
