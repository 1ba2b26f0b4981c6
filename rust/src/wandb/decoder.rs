//! Owns the decoding of single records: into columns what columns can hold, the rest handed on.

use arrow_schema::ArrowError;

use crate::columns::{At, Console, Points};
use crate::damage::Reason;
use crate::protobuf::timestamp_ns;
use crate::protobuf::{Fields, Malformed, Wire, zigzag};
use crate::wandb::Batch;
use crate::wandb::own::{FIELD, OwnRow};
use crate::wandb::record::{HISTORY, OUTPUT, OUTPUT_RAW, RecordParts, STATS, SUMMARY};
use crate::wandb::rows::RowReader;
use crate::wandb::sink::{Sink, Stream};
use crate::wandb::summary::Summary;

/// A batch is cut when its texts or its other records are this large, whatever the rows.
const BATCH_BYTES: usize = 16 << 20;
/// How many rows a batch has room for before it grows: some more than the one before had, since
/// batches end where a source row does.
const ROOM_TO_SPARE: usize = 1024;
const MOST_ROOM: usize = 1 << 16;

/// A record that is not turned into columns.
#[derive(Debug)]
pub struct OtherRecord {
    /// Its field number in `Record`; 0 if it has no type at all.
    pub number: u32,
    pub offset: u64,
    /// The record's message; the whole record if it has no type, and if its type is unknown.
    pub bytes: Vec<u8>,
}

/// The state of decoding, apart from where the bytes come from.
pub struct Decoder {
    sink: Sink,
    history: RowReader,
    stats: RowReader,
    pub summary: Summary,
    console: Console,
    records: Vec<OtherRecord>,
    record_bytes: usize,
    pub seq: i64,
    is_closed: bool,
}

/// Whether a record found room in the batch.
#[derive(PartialEq, Eq)]
pub enum Fit {
    Taken,
    NotTaken,
}

impl Decoder {
    pub fn new(seq: i64) -> Self {
        Self {
            sink: Sink::default(),
            history: RowReader::new(Stream::User),
            stats: RowReader::new(Stream::System),
            summary: Summary::default(),
            console: Console::default(),
            records: Vec::new(),
            record_bytes: 0,
            seq,
            is_closed: false,
        }
    }

    pub fn has_room(&self, rows: usize) -> bool {
        let texts = self.sink.values.text_bytes() + self.console.text_bytes() + self.record_bytes;
        self.sink.points.rows() < rows
            && self.sink.values.rows() < rows
            && self.console.rows() < rows
            && self.records.len() < rows
            && self.sink.damage.len() < rows
            && texts < BATCH_BYTES
    }

    /// The file ends: what is wrong with the summary is only seen now.
    pub fn close(&mut self) {
        if !std::mem::replace(&mut self.is_closed, true) {
            self.summary.last_values(&mut self.sink);
        }
    }

    pub fn finish(&mut self) -> Result<Batch, ArrowError> {
        self.record_bytes = 0;
        let room = (self.sink.points.rows() + ROOM_TO_SPARE).min(MOST_ROOM);
        let room = if self.is_closed { 0 } else { room };
        let points = std::mem::replace(&mut self.sink.points, Points::with_capacity(room));
        let values = std::mem::take(&mut self.sink.values);
        let console = std::mem::take(&mut self.console);
        Ok(Batch {
            points: (points.rows() > 0).then(|| points.finish()).transpose()?,
            values: (values.rows() > 0).then(|| values.finish()).transpose()?,
            console: (console.rows() > 0).then(|| console.finish()).transpose()?,
            series: self.sink.series.take_new(),
            records: std::mem::take(&mut self.records),
            damage: std::mem::take(&mut self.sink.damage),
        })
    }

    /// Decodes one record, unless it would make a table longer than `rows`.
    pub fn take(&mut self, offset: u64, end: u64, record: &[u8], rows: usize) -> Fit {
        self.sink.record = (offset, end - offset);
        match self.decode(offset, record, rows) {
            Ok(fit) => fit,
            Err(Malformed) => {
                self.sink.points.roll_back();
                self.sink.values.roll_back();
                self.sink.report(Reason::BadRecord);
                Fit::Taken
            }
        }
    }

    fn decode(&mut self, offset: u64, record: &[u8], rows: usize) -> Result<Fit, Malformed> {
        let parts = RecordParts::of(record)?;
        let merged = parts.merged(record)?;
        let message = merged.as_deref().unwrap_or(parts.message);
        match parts.number {
            HISTORY => {
                if self.row(Stream::User, offset, message, rows)? == Fit::NotTaken {
                    return Ok(Fit::NotTaken);
                }
            }
            STATS => {
                if self.row(Stream::System, offset, message, rows)? == Fit::NotTaken {
                    return Ok(Fit::NotTaken);
                }
            }
            SUMMARY => {
                if self.summary.take(message, &mut self.sink)? {
                    self.hand_on(SUMMARY, offset, message);
                }
            }
            OUTPUT | OUTPUT_RAW => self.line(parts.number, offset, message)?,
            0 => self.hand_on(0, offset, record),
            number => self.hand_on(number, offset, message),
        }
        if parts.number != 0 && parts.has_strangers {
            self.hand_on(0, offset, record);
        }
        Ok(Fit::Taken)
    }

    fn hand_on(&mut self, number: u32, offset: u64, bytes: &[u8]) {
        self.record_bytes += bytes.len();
        self.records.push(OtherRecord {
            number,
            offset,
            bytes: bytes.to_vec(),
        });
    }

    fn row(
        &mut self,
        stream: Stream,
        offset: u64,
        message: &[u8],
        rows: usize,
    ) -> Result<Fit, Malformed> {
        let reader = match stream {
            Stream::User => &mut self.history,
            Stream::System => &mut self.stats,
        };
        if OwnRow::is_in(message) {
            return self.own_row(stream, message, rows);
        }
        let sink = &mut self.sink;
        let (series, damage) = (sink.series.len(), sink.damage.len());
        let is_first = sink.points.rows() == 0 && sink.values.rows() == 0;
        let (at, is_odd) = reader.read(message, sink).inspect_err(|_| {
            reader.take_back(series, sink);
            sink.damage.truncate(damage);
        })?;
        if !is_first && (sink.points.rows() > rows || sink.values.rows() > rows) {
            reader.take_back(series, sink);
            sink.damage.truncate(damage);
            return Ok(Fit::NotTaken);
        }
        let at = At {
            seq: self.seq,
            ..at
        };
        self.seq += 1;
        sink.points.settle(&at);
        sink.values.settle(&at);
        sink.damage.extend(reader.take_key_damage());
        if is_odd {
            let number = if stream == Stream::User {
                HISTORY
            } else {
                STATS
            };
            self.hand_on(number, offset, message);
        }
        Ok(Fit::Taken)
    }

    /// A row of ours: several source rows, each with its own address.
    fn own_row(&mut self, stream: Stream, message: &[u8], rows: usize) -> Result<Fit, Malformed> {
        let reader = match stream {
            Stream::User => &mut self.history,
            Stream::System => &mut self.stats,
        };
        let sink = &mut self.sink;
        let row = reader.own_row(message, sink)?;
        let is_first = sink.points.rows() == 0 && sink.values.rows() == 0;
        let most = sink.points.rows().max(sink.values.rows()) + row.items();
        if !is_first && most > rows {
            return Ok(Fit::NotTaken);
        }
        if let Some(last) = row.last_seq() {
            self.seq = last.wrapping_add(1);
        }
        reader.take_own(row, sink);
        sink.damage.extend(reader.take_key_damage());
        Ok(Fit::Taken)
    }

    fn line(&mut self, number: u32, offset: u64, message: &[u8]) -> Result<(), Malformed> {
        let (mut output_type, mut time, mut line) = (0, None, &b""[..]);
        let mut seq = self.seq;
        let mut is_odd = false;
        for field in Fields::new(message) {
            match field? {
                (1, Wire::Varint(value)) => output_type = value,
                (2, Wire::Bytes(timestamp)) => time = Some(timestamp),
                (3, Wire::Bytes(text)) => line = text,
                (FIELD, Wire::Varint(stated)) => seq = zigzag(stated),
                (200, Wire::Bytes(_)) => {}
                _ => is_odd = true,
            }
        }
        let time_ns = time.and_then(timestamp_ns);
        is_odd |= output_type > 1 || time.is_some() != time_ns.is_some();
        let line = self.sink.text(line);
        self.console.push(time_ns, output_type == 1, &line, seq);
        self.seq = seq.wrapping_add(1);
        if is_odd {
            self.hand_on(number, offset, message);
        }
        Ok(())
    }
}
