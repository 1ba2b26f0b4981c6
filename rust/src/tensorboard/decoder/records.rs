//! Owns what is kept as a record, and what events hold besides values: versions, graphs, logs.

use super::{Decoder, Event};
use crate::damage::Reason;
use crate::protobuf::Malformed;
use crate::tensorboard::event::{Rest, with_one_value};
use crate::tensorboard::fields::event;
use crate::tensorboard::media::Target;
use crate::tensorboard::metadata::plugin_metadata;
use crate::tensorboard::plugin::{Role, name};
use crate::tensorboard::record::{Message, OtherRecord, hparams_of, tagged_of};
use crate::tensorboard::rows::MediaForm;
use crate::tensorboard::value::ValueParts;

/// A message of the schema, with its event; of its summary only this value.
fn typed(bytes: &[u8], step: Option<i64>, value: Option<&[u8]>, event: &Event<'_>) -> Message {
    Message::Typed {
        bytes: bytes.to_vec(),
        step,
        event: with_one_value(event.bytes, value),
    }
}

impl Decoder {
    pub(super) fn take_hparams(
        &mut self,
        series: usize,
        value: &ValueParts<'_>,
        event: &mut Event<'_>,
    ) -> Result<bool, Malformed> {
        let content = &self.series.name(series).content;
        let Some((record, message)) = hparams_of(content)? else {
            return Ok(false);
        };
        let message = typed(message, Some(event.step), Some(value.raw), event);
        self.add_record(record, message, event);
        Ok(true)
    }

    pub(super) fn take_string(
        &mut self,
        bytes: &[u8],
        role: Role,
        value: &ValueParts<'_>,
        event: &mut Event<'_>,
    ) -> Result<bool, Malformed> {
        if role == Role::Layout {
            let message = typed(bytes, Some(event.step), Some(value.raw), event);
            self.add_record("layout", message, event);
        } else {
            let (tag, json) = (value.tag.to_vec(), bytes.to_vec());
            self.add_record("runferry", Message::Runferry { tag, json }, event);
        }
        Ok(true)
    }

    /// What an event holds besides values, and what it should not hold.
    #[inline(never)]
    pub(super) fn take_others(&mut self, rest: &Rest<'_>, at_work: &mut Event<'_>) {
        for (number, bytes) in &rest.others {
            self.bytes += bytes.len();
            match *number {
                event::FILE_VERSION => {
                    self.add_record("file_version", Message::Version(bytes.to_vec()), at_work);
                }
                event::SOURCE_METADATA => {
                    let message = typed(bytes, None, None, at_work);
                    self.add_record("source_metadata", message, at_work);
                }
                event::GRAPH_DEF => {
                    let (tag, form) = (b"graph_def", MediaForm::GraphDef);
                    self.take_graph(tag, name::GRAPHS, form, bytes, at_work);
                }
                event::META_GRAPH_DEF => {
                    let (tag, form) = (b"meta_graph_def", MediaForm::MetaGraphDef);
                    self.take_graph(tag, name::GRAPHS, form, bytes, at_work);
                }
                event::TAGGED_RUN_METADATA => self.take_run_metadata(bytes, at_work),
                event::SESSION_LOG => self.take_log("session_log", bytes, at_work),
                _ => self.take_log("log_message", bytes, at_work),
            }
        }
        if let Some(number) = rest.stranger {
            self.add_unknown(b"", format!("#{number}").as_bytes(), None, at_work);
        }
    }

    fn take_log(&mut self, record: &'static str, bytes: &[u8], event: &mut Event<'_>) {
        event.is_row = true;
        let message = typed(bytes, Some(event.step), None, event);
        self.add_record(record, message, event);
    }

    fn take_graph(
        &mut self,
        tag: &[u8],
        plugin: &[u8],
        form: MediaForm,
        bytes: &[u8],
        event: &mut Event<'_>,
    ) {
        let metadata = plugin_metadata(plugin, b"", b"");
        let Ok(series) = self.series.find_apart(tag, &metadata) else {
            return; // these metadata are well formed
        };
        let series = self.series.number(series);
        let mut target = Target {
            rows: &mut self.media,
            series,
            at: &event.at,
        };
        target.blob(form, bytes);
        event.is_row = true;
    }

    fn take_run_metadata(&mut self, message: &[u8], event: &mut Event<'_>) {
        match tagged_of(message) {
            Ok((tag, content)) => {
                let plugin = name::GRAPH_TAGGED_RUN_METADATA;
                self.take_graph(tag, plugin, MediaForm::TaggedRunMetadata, content, event);
            }
            Err(Malformed) => {
                self.report(event.offset, event.length, Reason::BadRecord);
                self.add_unknown(b"", b"tagged_run_metadata", None, event);
            }
        }
    }

    pub(super) fn keep_unknown(
        &mut self,
        value: &ValueParts<'_>,
        plugin: &[u8],
        event: &mut Event<'_>,
    ) {
        self.add_unknown(value.tag, plugin, Some(value.raw), event);
    }

    fn add_unknown(
        &mut self,
        tag: &[u8],
        plugin: &[u8],
        value: Option<&[u8]>,
        event: &mut Event<'_>,
    ) {
        event.is_row = true;
        let message = Message::Unknown {
            tag: tag.to_vec(),
            plugin: plugin.to_vec(),
            step: event.step,
            event: with_one_value(event.bytes, value),
        };
        self.add_record("unknown", message, event);
    }

    fn add_record(&mut self, name: &'static str, message: Message, event: &Event<'_>) {
        self.bytes += 64;
        self.records.push(OtherRecord {
            name,
            offset: event.offset,
            length: event.length,
            seq: event.at.seq,
            time: event.at.time,
            message,
        });
    }
}
