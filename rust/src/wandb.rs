//! Owns the decoding of `.wandb` files: records in, batches of columns out.
//!
//! History rows and system statistics become points and values, output becomes console lines, of
//! the summary only the last value of each path is kept; every other record is handed on as bytes.

use std::io::{self, Read, Seek, SeekFrom};

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;

use crate::columns::{At, Console};
use crate::leveldb_log::{Damage, HEADER, LogReader, Reason};
use crate::protobuf::{Fields, Malformed, Wire};
use crate::wandb_rows::{RowReader, SeriesName, Sink, Stream, timestamp_ns};
use crate::wandb_summary::{LastValue, Summary};

/// What a file begins with; the version byte follows.
const MAGIC: [u8; 6] = *b":W&B\xe1\xbe";
/// The only version there is.
const VERSION: u8 = 0;

pub const HISTORY: u32 = 2;
pub const SUMMARY: u32 = 3;
const OUTPUT: u32 = 4;
pub const CONFIG: u32 = 5;
pub const STATS: u32 = 7;
const OUTPUT_RAW: u32 = 13;

/// A batch is cut when its texts or its other records are this large, whatever the rows.
const BATCH_BYTES: usize = 16 << 20;

/// Why a file cannot be read at all.
#[derive(Debug)]
pub enum Error {
    Io(io::Error),
    /// The header is that of something else.
    NotWandb,
    UnknownVersion(u8),
    Arrow(ArrowError),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}

/// What a scan starts from.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    pub offset: u64,
    pub origin: Option<u64>,
    pub seq: i64,
    /// Read files of an unknown version as if it were ours.
    pub any_version: bool,
}

/// The framing of a `.wandb` file, once its header is found to be one.
pub fn open_log<S: Read + Seek>(mut source: S, start: &Start) -> Result<LogReader<S>, Error> {
    let length = source.seek(SeekFrom::End(0))?;
    source.seek(SeekFrom::Start(0))?;
    let mut header = Vec::new();
    source.by_ref().take(HEADER).read_to_end(&mut header)?;
    let magic = &header[..header.len().min(MAGIC.len())];
    if !MAGIC.starts_with(magic) {
        return Err(Error::NotWandb);
    }
    // A file cut within its header has no version, and no records.
    if let Some(version) = header.get(MAGIC.len())
        && *version != VERSION
        && !start.any_version
    {
        return Err(Error::UnknownVersion(*version));
    }
    Ok(LogReader::new(source, start.offset, length, start.origin))
}

/// A record that is not turned into columns.
#[derive(Debug)]
pub struct OtherRecord {
    /// Its field number in `Record`; 0 if it has no type at all.
    pub number: u32,
    pub offset: u64,
    /// The record's message; the whole record if it has no type, and if its type is unknown.
    pub bytes: Vec<u8>,
}

/// What was decoded from some records.
#[derive(Debug, Default)]
pub struct Batch {
    pub points: Option<RecordBatch>,
    pub values: Option<RecordBatch>,
    pub console: Option<RecordBatch>,
    pub series: Vec<SeriesName>,
    pub records: Vec<OtherRecord>,
    pub damage: Vec<Damage>,
}

/// Reads a file batch by batch.
pub struct Scanner<S> {
    log: LogReader<S>,
    decoder: Decoder,
    rows: usize,
    /// A record that did not fit into the last batch.
    held: Option<Held>,
    /// Slices of a row that is longer than a batch.
    slices: Vec<Batch>,
    offset: u64,
    seq: i64,
}

struct Held {
    offset: u64,
    end: u64,
    bytes: Vec<u8>,
}

/// The state of decoding, apart from where the bytes come from.
struct Decoder {
    sink: Sink,
    history: RowReader,
    stats: RowReader,
    summary: Summary,
    console: Console,
    records: Vec<OtherRecord>,
    record_bytes: usize,
    seq: i64,
    is_closed: bool,
}

/// Whether a record found room in the batch.
#[derive(PartialEq, Eq)]
enum Fit {
    Taken,
    NotTaken,
}

impl<S: Read + Seek> Scanner<S> {
    /// A scan of batches with at most `rows` rows a table.
    pub fn new(source: S, start: &Start, rows: usize) -> Result<Self, Error> {
        let log = open_log(source, start)?;
        let decoder = Decoder {
            sink: Sink::default(),
            history: RowReader::new(Stream::User),
            stats: RowReader::new(Stream::System),
            summary: Summary::default(),
            console: Console::default(),
            records: Vec::new(),
            record_bytes: 0,
            seq: start.seq,
            is_closed: false,
        };
        let (offset, seq) = (start.offset, start.seq);
        let rows = rows.max(1);
        Ok(Self {
            log,
            decoder,
            rows,
            held: None,
            slices: Vec::new(),
            offset,
            seq,
        })
    }

    /// The next batch; None at the end of the file.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, Error> {
        if let Some(slice) = self.slices.pop() {
            if self.slices.is_empty() {
                self.advance();
            }
            return Ok(Some(slice));
        }
        if let Some(held) = self.held.take() {
            self.decoder
                .take(held.offset, held.end, &held.bytes, usize::MAX);
        }
        while self.decoder.has_room(self.rows) {
            let Some(frame) = self.log.next_record()? else {
                self.decoder.close();
                break;
            };
            let (offset, end) = (frame.offset, frame.end);
            if self.decoder.take(offset, end, frame.payload, self.rows) == Fit::NotTaken {
                let bytes = frame.payload.to_vec();
                self.held = Some(Held { offset, end, bytes });
                break;
            }
        }
        let mut batch = self.decoder.finish()?;
        batch.damage.extend(self.log.take_damage());
        batch.damage.sort_by_key(|damage| damage.offset);
        if batch.is_empty() {
            self.advance();
            return Ok(None);
        }
        self.slices = batch.split(self.rows);
        self.slices.reverse();
        self.next_slice()
    }

    fn next_slice(&mut self) -> Result<Option<Batch>, Error> {
        let slice = self.slices.pop();
        if self.slices.is_empty() {
            self.advance();
        }
        Ok(slice)
    }

    /// All that was read has been handed out: a later scan may start behind it.
    fn advance(&mut self) {
        self.seq = self.decoder.seq;
        self.offset = match &self.held {
            Some(held) => held.offset,
            None => self.log.committed(),
        };
    }

    /// Where a later scan continues: behind the last record handed out.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The number of the next row.
    pub fn seq(&self) -> i64 {
        self.seq
    }

    /// Where blocks are counted from, once that has shown.
    pub fn origin(&self) -> Option<u64> {
        self.log.origin()
    }

    /// The last value of each summary path that was seen; None for one that was removed.
    pub fn summary(&self) -> Vec<LastValue> {
        self.decoder.summary.last_values(&mut Sink::default())
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        let tables = [&self.points, &self.values, &self.console];
        tables.iter().all(|table| table.is_none())
            && self.series.is_empty()
            && self.records.is_empty()
            && self.damage.is_empty()
    }

    /// The same in batches of at most `rows` rows a table: more than one only for a giant row.
    fn split(mut self, rows: usize) -> Vec<Self> {
        let mut points = slices(self.points.take(), rows).into_iter();
        let mut values = slices(self.values.take(), rows).into_iter();
        let mut parts = vec![self];
        loop {
            let (more_points, more_values) = (points.next(), values.next());
            if more_points.is_none() && more_values.is_none() {
                return parts;
            }
            match parts.as_mut_slice() {
                [first] if first.points.is_none() && first.values.is_none() => {
                    first.points = more_points;
                    first.values = more_values;
                }
                _ => parts.push(Self {
                    points: more_points,
                    values: more_values,
                    ..Self::default()
                }),
            }
        }
    }
}

fn slices(table: Option<RecordBatch>, rows: usize) -> Vec<RecordBatch> {
    let Some(table) = table else {
        return Vec::new();
    };
    let starts = (0..table.num_rows()).step_by(rows);
    starts
        .map(|start| table.slice(start, rows.min(table.num_rows() - start)))
        .collect()
}

impl Decoder {
    fn has_room(&self, rows: usize) -> bool {
        let texts = self.sink.values.text_bytes() + self.console.text_bytes() + self.record_bytes;
        self.sink.points.rows() < rows
            && self.sink.values.rows() < rows
            && self.console.rows() < rows
            && self.records.len() < rows
            && texts < BATCH_BYTES
    }

    /// The file ends: what is wrong with the summary is only seen now.
    fn close(&mut self) {
        if !std::mem::replace(&mut self.is_closed, true) {
            self.summary.last_values(&mut self.sink);
        }
    }

    fn finish(&mut self) -> Result<Batch, Error> {
        self.record_bytes = 0;
        let points = std::mem::take(&mut self.sink.points);
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
    fn take(&mut self, offset: u64, end: u64, record: &[u8], rows: usize) -> Fit {
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

    fn line(&mut self, number: u32, offset: u64, message: &[u8]) -> Result<(), Malformed> {
        let (mut output_type, mut time, mut line) = (0, None, &b""[..]);
        let mut is_odd = false;
        for field in Fields::new(message) {
            match field? {
                (1, Wire::Varint(value)) => output_type = value,
                (2, Wire::Bytes(timestamp)) => time = Some(timestamp),
                (3, Wire::Bytes(text)) => line = text,
                (200, Wire::Bytes(_)) => {}
                _ => is_odd = true,
            }
        }
        let time_ns = time.and_then(timestamp_ns);
        is_odd |= output_type > 1 || time.is_some() != time_ns.is_some();
        let line = self.sink.text(line);
        self.console
            .push(time_ns, output_type == 1, &line, self.seq);
        self.seq += 1;
        if is_odd {
            self.hand_on(number, offset, message);
        }
        Ok(())
    }
}

/// The type of a record, and its message.
pub struct RecordParts<'a> {
    /// The field number of its type; 0 if it has none.
    pub number: u32,
    pub message: &'a [u8],
    is_repeated: bool,
    /// Fields of the record that nobody has taught us.
    pub has_strangers: bool,
}

impl<'a> RecordParts<'a> {
    #[inline]
    pub fn of(record: &'a [u8]) -> Result<Self, Malformed> {
        let mut parts = Self {
            number: 0,
            message: b"",
            is_repeated: false,
            has_strangers: false,
        };
        for field in Fields::new(record) {
            match field? {
                (1, Wire::Varint(_)) | (16 | 19 | 200, Wire::Bytes(_)) => {}
                (number @ (2..=13 | 17 | 18 | 20..=27 | 100), Wire::Bytes(message)) => {
                    parts.is_repeated = parts.number == number;
                    parts.has_strangers |= parts.number != 0 && parts.number != number;
                    parts.number = number;
                    parts.message = message;
                }
                _ => parts.has_strangers = true,
            }
        }
        Ok(parts)
    }

    /// A message that stands there twice is, as the format has it, the two of them end to end.
    pub fn merged(&self, record: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
        if !self.is_repeated {
            return Ok(None);
        }
        let mut merged = Vec::new();
        for field in Fields::new(record) {
            if let (number, Wire::Bytes(message)) = field?
                && number == self.number
            {
                merged.extend_from_slice(message);
            }
        }
        Ok(Some(merged))
    }
}
