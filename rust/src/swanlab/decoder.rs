//! Owns the decoding of single records: into columns what columns can hold, the rest handed on.

use std::borrow::Cow;
use std::collections::HashMap;

use arrow_schema::ArrowError;

use crate::columns::{At, Console, Points};
use crate::damage::{Damage, Reason};
use crate::protobuf::{Fields, Malformed, Wire, timestamp_ns};
use crate::swanlab::record::{LOG, Logged, MEDIA, SCALAR, SCALAR_TYPE};
use crate::swanlab::{Batch, Start};

/// A batch is cut when its texts or its other records are this large, whatever the rows.
const BATCH_BYTES: usize = 16 << 20;
/// A record that is not turned into columns.
#[derive(Debug)]
pub struct OtherRecord {
    /// The number of its type in `Record`; 0 if it has none.
    pub number: u32,
    pub offset: u64,
    /// The source row that it belongs to.
    pub seq: i64,
    /// The message of its type; the whole record where there is none.
    pub bytes: Vec<u8>,
}

/// Values that were logged together: they share step and time, and no key comes twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub step: i64,
    pub time_ns: Option<i64>,
    pub seq: i64,
    pub keys: Vec<String>,
}

/// The state of decoding, apart from where the bytes come from.
pub struct Decoder {
    points: Points,
    console: Console,
    records: Vec<OtherRecord>,
    record_bytes: usize,
    damage: Vec<Damage>,
    numbers: HashMap<String, i32>,
    names: Vec<String>,
    handed_out: usize,
    /// By series: the source row of its last value.
    last_seq: Vec<i64>,
    open: Option<(i64, Option<i64>, i64)>,
    pub seq: i64,
}

impl Decoder {
    pub fn new(start: &Start) -> Self {
        let mut decoder = Self {
            points: Points::default(),
            console: Console::default(),
            records: Vec::new(),
            record_bytes: 0,
            damage: Vec::new(),
            numbers: HashMap::new(),
            names: Vec::new(),
            handed_out: 0,
            last_seq: Vec::new(),
            open: None,
            seq: start.seq,
        };
        if let Some(group) = &start.group {
            decoder.open = Some((group.step, group.time_ns, group.seq));
            for key in &group.keys {
                let series = decoder.series(key);
                decoder.last_seq[series as usize] = group.seq;
            }
        }
        decoder
    }

    pub fn has_room(&self, rows: usize) -> bool {
        self.points.rows() < rows
            && self.console.rows() < rows
            && self.records.len() < rows
            && self.damage.len() < rows
            && self.console.text_bytes() + self.record_bytes < BATCH_BYTES
    }

    pub fn finish(&mut self) -> Result<Batch, ArrowError> {
        self.record_bytes = 0;
        let points = std::mem::take(&mut self.points);
        let console = std::mem::take(&mut self.console);
        let series = self.names[self.handed_out..].to_vec();
        self.handed_out = self.names.len();
        Ok(Batch {
            points: (points.rows() > 0).then(|| points.finish()).transpose()?,
            console: (console.rows() > 0).then(|| console.finish()).transpose()?,
            series,
            records: std::mem::take(&mut self.records),
            damage: std::mem::take(&mut self.damage),
        })
    }

    /// The values that were logged together last, for a scan that goes on from here.
    pub fn group(&self) -> Option<Group> {
        let (step, time_ns, seq) = self.open?;
        let members = self.names.iter().zip(&self.last_seq);
        let keys = members.filter(|(_, last)| **last == seq);
        Some(Group {
            step,
            time_ns,
            seq,
            keys: keys.map(|(name, _)| name.clone()).collect(),
        })
    }

    pub fn hand_on(&mut self, number: u32, offset: u64, bytes: &[u8]) {
        let seq = self.seq;
        self.hand_on_at(number, offset, seq, bytes);
    }

    fn hand_on_at(&mut self, number: u32, offset: u64, seq: i64, bytes: &[u8]) {
        self.record_bytes += bytes.len();
        self.records.push(OtherRecord {
            number,
            offset,
            seq,
            bytes: bytes.to_vec(),
        });
    }

    /// Decodes one record.
    pub fn take(&mut self, offset: u64, end: u64, record: &[u8]) {
        if self.decode(offset, end - offset, record).is_err() {
            self.points.roll_back();
            self.report(offset, end - offset, Reason::BadRecord);
        }
    }

    fn report(&mut self, offset: u64, length: u64, reason: Reason) {
        self.damage.push(Damage {
            offset,
            length,
            reason,
        });
    }

    fn text<'a>(&mut self, offset: u64, length: u64, bytes: &'a [u8]) -> Cow<'a, str> {
        let text = String::from_utf8_lossy(bytes);
        if matches!(text, Cow::Owned(_)) {
            self.report(offset, length, Reason::BadUtf8);
        }
        text
    }

    fn decode(&mut self, offset: u64, length: u64, record: &[u8]) -> Result<(), Malformed> {
        let (mut number, mut message, mut logged_ns) = (0, record, None);
        for field in Fields::new(record) {
            match field? {
                (1, Wire::Varint(_)) => {}
                (2, Wire::Bytes(time)) => logged_ns = timestamp_ns(time),
                (found, Wire::Bytes(bytes)) if found >= 10 && number == 0 => {
                    (number, message) = (found, bytes);
                }
                // two types in one, or what nobody has taught us: the whole of it is kept
                _ => {
                    self.hand_on(0, offset, record);
                    return Ok(());
                }
            }
        }
        match number {
            SCALAR => self.scalar(offset, length, message, logged_ns),
            MEDIA => {
                let logged = Logged::of(message, logged_ns)?;
                let key = self.text(offset, length, logged.key);
                let series = self.series(&key);
                let seq = self.row_of(series, &logged);
                self.hand_on_at(MEDIA, offset, seq, message);
                Ok(())
            }
            LOG => self.line(offset, length, message, logged_ns),
            _ => {
                self.hand_on(number, offset, message);
                Ok(())
            }
        }
    }

    fn scalar(
        &mut self,
        offset: u64,
        length: u64,
        message: &[u8],
        logged_ns: Option<i64>,
    ) -> Result<(), Malformed> {
        let logged = Logged::of(message, logged_ns)?;
        let mut number = 0.0;
        let mut is_odd = logged.is_odd || logged.column_type != SCALAR_TYPE;
        for field in Fields::new(logged.value.unwrap_or_default()) {
            match field? {
                (1, Wire::Fixed64(bits)) => number = f64::from_bits(bits),
                _ => is_odd = true,
            }
        }
        let key = self.text(offset, length, logged.key);
        let series = self.series(&key);
        let seq = self.row_of(series, &logged);
        match logged.value {
            Some(_) => self.points.push_float(series, number),
            None => self.points.push_null(series),
        }
        self.points.settle(&At {
            step: Some(logged.step),
            step_frac: None,
            time: logged.time_ns,
            seq,
        });
        if is_odd {
            self.hand_on_at(SCALAR, offset, seq, message);
        }
        Ok(())
    }

    fn line(
        &mut self,
        offset: u64,
        length: u64,
        message: &[u8],
        logged_ns: Option<i64>,
    ) -> Result<(), Malformed> {
        let (mut line, mut level, mut time_ns) = (&b""[..], 0, logged_ns);
        let mut is_odd = false;
        for field in Fields::new(message) {
            match field? {
                (1, Wire::Bytes(text)) => line = text,
                (2, Wire::Varint(stated)) => level = stated,
                (3, Wire::Bytes(time)) => {
                    time_ns = timestamp_ns(time);
                    is_odd |= time_ns.is_none();
                }
                (4, Wire::Varint(_)) => {} // its number among the lines
                _ => is_odd = true,
            }
        }
        // the client takes the ends of lines away
        let text = self.text(offset, length, line).into_owned() + "\n";
        self.console.push(time_ns, level == 0, &text, self.seq);
        if is_odd || level > 1 {
            self.hand_on(LOG, offset, message);
        }
        self.seq = self.seq.wrapping_add(1);
        self.open = None;
        Ok(())
    }

    fn series(&mut self, key: &str) -> i32 {
        if let Some(number) = self.numbers.get(key) {
            return *number;
        }
        let number = self.names.len() as i32;
        self.numbers.insert(key.to_owned(), number);
        self.names.push(key.to_owned());
        self.last_seq.push(-1);
        number
    }

    /// The source row of a value: that of the one before, if they were logged together.
    fn row_of(&mut self, series: i32, logged: &Logged<'_>) -> i64 {
        let last = &mut self.last_seq[series as usize];
        if let Some((step, time_ns, seq)) = self.open
            && (step, time_ns) == (logged.step, logged.time_ns)
            && *last != seq
        {
            *last = seq;
            return seq;
        }
        let seq = self.seq;
        *last = seq;
        self.open = Some((logged.step, logged.time_ns, seq));
        self.seq = seq.wrapping_add(1);
        seq
    }
}
