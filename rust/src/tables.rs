//! Owns the columns that come from Arrow, as those who write other formats need them.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{
    Array, ArrayRef, DictionaryArray, ListArray, PrimitiveArray, RecordBatch, StringArray,
};

#[derive(Debug)]
pub enum Error {
    /// A column that is missing, or of another type than the tables of `runferry.tables`.
    Column(String),
    /// Microseconds since the epoch that 64 bits of nanoseconds cannot hold.
    TimeBeyond(i64),
    /// Bytes of a value of which no reader would take the record.
    ValueTooLong(usize),
}

/// The address of one source row, as a batch states it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RowAddress {
    pub seq: i64,
    pub step: Option<i64>,
    pub step_frac: Option<i32>,
    pub time_us: Option<i64>,
    pub time_ns: Option<i16>,
}

impl RowAddress {
    /// Nanoseconds since the epoch.
    pub fn time_ns(&self) -> Result<Option<i64>, Error> {
        ns_of(self.time_us, self.time_ns)
    }
}

fn ns_of(time_us: Option<i64>, below: Option<i16>) -> Result<Option<i64>, Error> {
    let Some(micros) = time_us else {
        return Ok(None);
    };
    let ns = micros.checked_mul(1000);
    let ns = ns.and_then(|ns| ns.checked_add(i64::from(below.unwrap_or(0))));
    ns.map(Some).ok_or(Error::TimeBeyond(micros))
}

/// The columns that every table begins with.
pub struct AddressColumns {
    keys: DictionaryArray<Int32Type>,
    words: StringArray,
    step: PrimitiveArray<Int64Type>,
    step_frac: PrimitiveArray<Int32Type>,
    time: PrimitiveArray<TimestampMicrosecondType>,
    time_ns: PrimitiveArray<Int16Type>,
    seq: PrimitiveArray<Int64Type>,
}

fn valid<T: arrow_array::ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    row: usize,
) -> Option<T::Native> {
    array.is_valid(row).then(|| array.value(row))
}

pub fn primitive<T: arrow_array::ArrowPrimitiveType>(
    batch: &RecordBatch,
    name: &str,
) -> Result<PrimitiveArray<T>, Error> {
    let column = found(batch, name)?.as_primitive_opt::<T>();
    column
        .cloned()
        .ok_or_else(|| Error::Column(name.to_owned()))
}

pub fn strings(batch: &RecordBatch, name: &str) -> Result<StringArray, Error> {
    let column = found(batch, name)?.as_string_opt::<i32>();
    column
        .cloned()
        .ok_or_else(|| Error::Column(name.to_owned()))
}

fn found<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, Error> {
    let column = batch.column_by_name(name);
    column.ok_or_else(|| Error::Column(name.to_owned()))
}

impl AddressColumns {
    pub fn new(batch: &RecordBatch) -> Result<Self, Error> {
        let bad = || Error::Column("key".to_owned());
        let keys = found(batch, "key")?.as_dictionary_opt::<Int32Type>();
        let keys = keys.ok_or_else(bad)?.clone();
        let words = keys
            .values()
            .as_string_opt::<i32>()
            .ok_or_else(bad)?
            .clone();
        Ok(Self {
            keys,
            words,
            step: primitive(batch, "step")?,
            step_frac: primitive(batch, "step_frac")?,
            time: primitive(batch, "time")?,
            time_ns: primitive(batch, "time_ns")?,
            seq: primitive(batch, "seq")?,
        })
    }

    pub fn rows(&self) -> usize {
        self.seq.len()
    }

    #[inline]
    pub fn at(&self, row: usize) -> RowAddress {
        RowAddress {
            seq: self.seq.value(row),
            step: valid(&self.step, row),
            step_frac: valid(&self.step_frac, row),
            time_us: valid(&self.time, row),
            time_ns: valid(&self.time_ns, row),
        }
    }

    /// How many keys the batch may name.
    pub fn names(&self) -> usize {
        self.words.len()
    }

    /// The place of a row's key among these names. Keys are never null.
    pub fn place(&self, row: usize) -> usize {
        self.keys.keys().value(row) as usize
    }

    pub fn name(&self, place: usize) -> &str {
        self.words.value(place)
    }
}

/// A column of a few words, each row as its place among `known`.
pub struct Words {
    places: PrimitiveArray<Int8Type>,
    meaning: Vec<u8>,
}

impl Words {
    pub fn new(batch: &RecordBatch, name: &str, known: &[&str]) -> Result<Self, Error> {
        let bad = || Error::Column(name.to_owned());
        let column = found(batch, name)?.as_dictionary_opt::<Int8Type>();
        let column = column.ok_or_else(bad)?;
        let words = column.values().as_string_opt::<i32>().ok_or_else(bad)?;
        let meaning = words.iter().map(|word| {
            let place = known.iter().position(|one| Some(*one) == word);
            place.map(|place| place as u8).ok_or_else(bad)
        });
        Ok(Self {
            places: column.keys().clone(),
            meaning: meaning.collect::<Result<_, _>>()?,
        })
    }

    pub fn at(&self, row: usize) -> u8 {
        self.meaning[self.places.value(row) as usize]
    }
}

/// A column of lists of doubles.
pub struct Lists {
    lists: ListArray,
    values: PrimitiveArray<Float64Type>,
}

impl Lists {
    pub fn new(batch: &RecordBatch, name: &str) -> Result<Self, Error> {
        let bad = || Error::Column(name.to_owned());
        let lists = found(batch, name)?.as_list_opt::<i32>();
        let lists = lists.ok_or_else(bad)?.clone();
        let values = lists.values().as_primitive_opt::<Float64Type>();
        let values = values.filter(|inner| inner.null_count() == 0);
        let values = values.ok_or_else(bad)?.clone();
        Ok(Self { lists, values })
    }

    pub fn at(&self, row: usize) -> Option<&[f64]> {
        self.lists.is_valid(row).then(|| {
            let ends = self.lists.value_offsets();
            &self.values.values()[ends[row] as usize..ends[row + 1] as usize]
        })
    }
}

/// The columns of `tables.CONSOLE`, but for the stream.
pub struct ConsoleColumns {
    time: PrimitiveArray<TimestampMicrosecondType>,
    below: PrimitiveArray<Int16Type>,
    pub line: StringArray,
    pub seq: PrimitiveArray<Int64Type>,
}

/// The columns of what a run printed.
pub fn consoles(batch: &RecordBatch) -> Result<ConsoleColumns, Error> {
    Ok(ConsoleColumns {
        time: primitive(batch, "time")?,
        below: primitive(batch, "time_ns")?,
        line: strings(batch, "line")?,
        seq: primitive(batch, "seq")?,
    })
}

impl ConsoleColumns {
    /// Nanoseconds since the epoch.
    pub fn time_ns(&self, row: usize) -> Result<Option<i64>, Error> {
        ns_of(valid(&self.time, row), valid(&self.below, row))
    }
}
