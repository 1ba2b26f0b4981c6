//! Owns how one row of W&B items becomes points and values: history rows and system statistics.

mod own;

use std::borrow::Cow;
use std::collections::HashSet;

use crate::columns::At;
use crate::damage::{Damage, Reason};
use crate::json::{self, Scalar};
use crate::protobuf::timestamp_ns;
use crate::protobuf::{Malformed, Wire, take_bytes_field, take_field};
use crate::wandb::address::{step_field, step_of, time_of};
use crate::wandb::keys::{ItemValue, Keys};
use crate::wandb::media::Media;
use crate::wandb::sink::{Sink, Stream, json_of, scalar_of};

/// The field `step` of a history row, and `timestamp` of statistics.
const FIELD: u32 = 2;
/// Its tag, as bytes.
const FIELD_TAG: u8 = 0x12;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Series,
    Step,
    Timestamp,
    /// The last element is `_type`: what shares the rest of the path is one value.
    TypeMark,
}

struct Column {
    path: Vec<String>,
    role: Role,
    /// The series, once it has one; of an address none, since its items are looked at first.
    series: Option<i32>,
}

/// What is known of the row at work.
#[derive(Default)]
struct Row<'a> {
    /// The field `step` of a history row, or `timestamp` of statistics.
    field: Option<&'a [u8]>,
    step: Option<(usize, ItemValue<'a>)>,
    timestamp: Option<(usize, ItemValue<'a>)>,
    has_type_mark: bool,
    /// It holds something that columns cannot say.
    is_odd: bool,
}

/// The columns of one stream.
pub struct RowReader {
    stream: Stream,
    keys: Keys,
    columns: Vec<Column>,
    /// Paths with U+FFFD in them.
    mended: HashSet<Vec<String>>,
    /// What was wrong with new keys. A row that is read twice meets them as new only once, so they
    /// are told when it is taken.
    key_damage: Vec<Damage>,
}

impl RowReader {
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            keys: Keys::default(),
            columns: Vec::new(),
            mended: HashSet::new(),
            key_damage: Vec::new(),
        }
    }

    /// Adds a row's values to the sink; they get their address when the caller settles them.
    ///
    /// True in the second place: the row holds something that columns cannot say.
    pub fn read(&mut self, message: &[u8], sink: &mut Sink) -> Result<(At, bool), Malformed> {
        let series = sink.series.len();
        let damage = sink.damage.len();
        let mut row = self.walk(message, sink)?;
        if row.has_type_mark {
            self.take_back(series, sink);
            sink.damage.truncate(damage);
            row = self.walk_media(message, sink)?;
        }
        let at = match self.stream {
            Stream::User => self.address(&mut row, sink),
            Stream::System => At {
                time: row.field.and_then(timestamp_ns),
                ..At::default()
            },
        };
        Ok((at, row.is_odd))
    }

    /// What was wrong with keys that were new since this was last asked.
    pub fn take_key_damage(&mut self) -> impl Iterator<Item = Damage> {
        self.key_damage.drain(..)
    }

    /// Undoes what a row did, series first met in it included.
    pub fn take_back(&mut self, series: usize, sink: &mut Sink) {
        sink.points.roll_back();
        sink.values.roll_back();
        if sink.series.len() > series {
            sink.series.truncate(series);
            for column in &mut self.columns {
                column.series = column.series.filter(|number| (*number as usize) < series);
            }
        }
    }

    fn walk<'a>(&mut self, message: &'a [u8], sink: &mut Sink) -> Result<Row<'a>, Malformed> {
        let mut row = Row::default();
        let tag = self.item_tag();
        let mut rest = message;
        while !rest.is_empty() {
            if let Some(item) = take_bytes_field(&mut rest, tag) {
                self.item(item, &mut row, sink)?;
            } else if let Some(field) = take_bytes_field(&mut rest, FIELD_TAG) {
                self.other_field((FIELD, Wire::Bytes(field)), &mut row);
            } else if let Some(field) = take_field(&mut rest) {
                self.other_field(field?, &mut row);
            }
        }
        Ok(row)
    }

    /// The tag of an item: field 1 of a history row, 3 of statistics.
    fn item_tag(&self) -> u8 {
        if self.stream == Stream::User {
            0x0a
        } else {
            0x1a
        }
    }

    fn other_field<'a>(&self, field: (u32, Wire<'a>), row: &mut Row<'a>) {
        match field {
            (FIELD, Wire::Bytes(message)) => {
                row.is_odd |= row.field.is_some();
                row.field = Some(message);
            }
            (200, Wire::Bytes(_)) | (1, Wire::Varint(0)) => {}
            _ => row.is_odd = true,
        }
    }

    #[inline(always)]
    fn item<'a>(
        &mut self,
        item: &'a [u8],
        row: &mut Row<'a>,
        sink: &mut Sink,
    ) -> Result<(), Malformed> {
        let Some((slot, json)) = self.keys.take_plain(item) else {
            return self.odd_item(item, row, sink);
        };
        self.json_item(slot, json, row, sink);
        Ok(())
    }

    #[inline(never)]
    fn odd_item<'a>(
        &mut self,
        item: &'a [u8],
        row: &mut Row<'a>,
        sink: &mut Sink,
    ) -> Result<(), Malformed> {
        let odd = self.keys.take_odd(item)?;
        row.is_odd |= odd.is_odd;
        match odd.value {
            ItemValue::Json(json) => self.json_item(odd.slot, json, row, sink),
            value => self.rare_item(odd.slot, value, row, sink),
        }
        Ok(())
    }

    #[inline(always)]
    fn json_item<'a>(&mut self, slot: usize, json: &'a [u8], row: &mut Row<'a>, sink: &mut Sink) {
        let Some(series) = self.columns.get(slot).and_then(|column| column.series) else {
            return self.rare_item(slot, ItemValue::Json(json), row, sink);
        };
        match json::scalar(json) {
            Scalar::Float(value) => sink.points.push_float(series, value),
            Scalar::Int(value) => sink.points.push_int(series, value),
            _ => row.is_odd |= !self.push(slot, ItemValue::Json(json), sink),
        }
    }

    /// An item that is no number of a series already known.
    #[inline(never)]
    fn rare_item<'a>(
        &mut self,
        slot: usize,
        value: ItemValue<'a>,
        row: &mut Row<'a>,
        sink: &mut Sink,
    ) {
        if slot == self.columns.len() {
            self.add_column(slot, sink);
        }
        match self.columns[slot].role {
            Role::Series => row.is_odd |= !self.push(slot, value, sink),
            Role::Step => row.step = Some((slot, value)),
            Role::Timestamp => row.timestamp = Some((slot, value)),
            Role::TypeMark => row.has_type_mark = true,
        }
    }

    fn add_column(&mut self, slot: usize, sink: &Sink) {
        let elements = self.keys.path(slot).into_iter();
        let names: Vec<_> = elements.map(String::from_utf8_lossy).collect();
        let is_mended = names.iter().any(|name| matches!(name, Cow::Owned(_)));
        let path: Vec<String> = names.into_iter().map(Cow::into_owned).collect();
        if is_mended {
            self.key_damage.push(sink.damage_here(Reason::BadUtf8));
        }
        let may_merge = path
            .iter()
            .any(|name| name.contains(char::REPLACEMENT_CHARACTER));
        if may_merge && !self.mended.insert(path.clone()) {
            self.key_damage.push(sink.damage_here(Reason::MergedKey));
        }
        let role = match path.as_slice() {
            [only] if only == "_step" && self.stream == Stream::User => Role::Step,
            [only] if only == "_timestamp" && self.stream == Stream::User => Role::Timestamp,
            [_, .., last] if last == "_type" && self.stream == Stream::User => Role::TypeMark,
            _ => Role::Series,
        };
        self.columns.push(Column {
            path,
            role,
            series: None,
        });
    }

    /// Adds a value as an ordinary one; false if there is none.
    fn push(&mut self, slot: usize, value: ItemValue<'_>, sink: &mut Sink) -> bool {
        let column = &mut self.columns[slot];
        match scalar_of(value) {
            Some(Scalar::HugeInt | Scalar::Other) | None => {
                let Some(json) = json_of(value, sink) else {
                    return false;
                };
                sink.push_json(self.stream, &column.path, json.as_ref());
            }
            Some(scalar) => {
                let series = column
                    .series
                    .unwrap_or_else(|| sink.series.number(self.stream, &column.path));
                if column.role == Role::Series {
                    column.series = Some(series);
                }
                sink.push_scalar(series, scalar, "");
            }
        }
        true
    }

    /// A history row's step and time. What cannot be one stays an ordinary value.
    fn address(&mut self, row: &mut Row<'_>, sink: &mut Sink) -> At {
        let logged = row.step.and_then(|(_, value)| step_of(value));
        let field = row.field.map(step_field);
        row.is_odd |=
            matches!((logged, field), (Some(logged), Some(field)) if field != Some(logged));
        let time = row.timestamp.and_then(|(_, value)| time_of(value));
        // A row of nothing but its address would otherwise leave no trace.
        let is_bare = sink.points.is_settled() && sink.values.is_settled();
        for (special, used) in [
            (row.step, logged.is_some()),
            (row.timestamp, time.is_some()),
        ] {
            if let Some((slot, value)) = special
                && (is_bare || !used)
            {
                row.is_odd |= !self.push(slot, value, sink);
            }
        }
        At {
            step: logged.or(field.flatten()),
            time,
            ..At::default()
        }
    }

    /// The row again, this time putting together what core took apart.
    fn walk_media<'a>(&mut self, message: &'a [u8], sink: &mut Sink) -> Result<Row<'a>, Malformed> {
        let mut row = Row::default();
        let mut items = Vec::new();
        let tag = self.item_tag();
        let mut rest = message;
        while !rest.is_empty() {
            if let Some(item) = take_bytes_field(&mut rest, tag) {
                let item = self.keys.take(item)?;
                row.is_odd |= item.is_odd;
                items.push((item.slot, item.value));
            } else if let Some(field) = take_field(&mut rest) {
                self.other_field(field?, &mut row);
            }
        }
        let mut media = Media::default();
        for (slot, value) in &items {
            if self.columns[*slot].role == Role::TypeMark && is_text(*value) {
                let path = &self.columns[*slot].path;
                media.add_prefix(&path[..path.len() - 1]);
            }
        }
        for (slot, value) in items {
            let column = &self.columns[slot];
            match column.role {
                Role::Step => row.step = Some((slot, value)),
                Role::Timestamp => row.timestamp = Some((slot, value)),
                _ => match media.prefix_of(&column.path) {
                    Some(prefix) => {
                        let json = json_of(value, sink);
                        let text = json.as_ref().and_then(|json| sink.checked(json.as_ref()));
                        row.is_odd |= json.is_none();
                        if let Some(text) = text
                            && !media.put(&column.path, prefix, text.into_owned())
                        {
                            sink.report(Reason::Overlap);
                        }
                    }
                    None => row.is_odd |= !self.push(slot, value, sink),
                },
            }
        }
        for (path, json) in media.finish() {
            let series = sink.series.number(self.stream, &path);
            sink.values.push(series, &json);
        }
        Ok(row)
    }
}

fn is_text(value: ItemValue<'_>) -> bool {
    matches!(value, ItemValue::Json([b'"', ..]) | ItemValue::Text(_))
}
