//! The content digest of scalars, of which there are many: a multilinear hash of each row, in two
//! lanes of 64 bits, and the sums of the hashes.
//!
//! A cell is a number of 64 bits: an integer or a time is itself, a double its bits, and a word of a
//! dictionary its XXH3, one half a lane. Each column has odd constants to multiply it with, and
//! others that stand for nothing. What a row adds up to goes through a finaliser.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowDictionaryKeyType, ArrowPrimitiveType, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, StructArray};
use arrow_buffer::ArrowNativeType;
use arrow_schema::{ArrowError, DataType, TimeUnit};
use xxhash_rust::xxh3::xxh3_128;

/// Rows whose sums are made together, within the processor's cache.
const AT_ONCE: usize = 1024;

type Lanes = [[u64; AT_ONCE]; 2];

/// Adds a column's part to the sums of as many rows as are given, from a row on.
type AddTo<'a> = Box<dyn Fn(usize, usize, &mut Lanes) + 'a>;

/// The sums, modulo 2⁶⁴, of each lane of the rows' hashes.
pub fn sum_of_hashes(rows: &StructArray) -> Result<(u64, u64), ArrowError> {
    let columns = rows.columns().iter().enumerate();
    let columns = columns
        .map(|(number, column)| part_of(column.as_ref(), &Constants::of(number)))
        .collect::<Result<Vec<_>, _>>()?;
    let mut sums = [0_u64; 2];
    let mut lanes: Lanes = [[0; AT_ONCE]; 2];
    for begin in (0..rows.len()).step_by(AT_ONCE) {
        let count = AT_ONCE.min(rows.len() - begin);
        for add_to in &columns {
            add_to(begin, count, &mut lanes);
        }
        for (sum, lane) in sums.iter_mut().zip(&mut lanes) {
            for mixed in &mut lane[..count] {
                *sum = sum.wrapping_add(finalised(*mixed));
                *mixed = 0;
            }
        }
    }
    Ok((sums[0], sums[1]))
}

/// What a column is multiplied with, and what stands for nothing in it, by lane.
struct Constants {
    factors: [u64; 2],
    nothing: [u64; 2],
}

impl Constants {
    fn of(column: usize) -> Self {
        // the numbers that SplitMix64 gives after each other
        let constant = |place: usize| {
            let place = (4 * column + place + 1) as u64;
            finalised(place.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        };
        Self {
            factors: [constant(0) | 1, constant(1) | 1],
            nothing: [constant(2), constant(3)],
        }
    }
}

fn part_of<'a>(column: &'a dyn Array, by: &Constants) -> Result<AddTo<'a>, ArrowError> {
    Ok(match column.data_type() {
        DataType::Int16 => numbers::<Int16Type>(column, by, |number| i64::from(number) as u64),
        DataType::Int32 => numbers::<Int32Type>(column, by, |number| i64::from(number) as u64),
        DataType::Int64 => numbers::<Int64Type>(column, by, |number| number as u64),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            numbers::<TimestampMicrosecondType>(column, by, |number| number as u64)
        }
        DataType::Float64 => numbers::<Float64Type>(column, by, f64::to_bits),
        DataType::Dictionary(places, values) if **values == DataType::Utf8 => {
            match places.as_ref() {
                DataType::Int8 => words::<Int8Type>(column, by),
                DataType::Int32 => words::<Int32Type>(column, by),
                other => return Err(unknown(other)),
            }
        }
        other => return Err(unknown(other)),
    })
}

fn unknown(kind: &DataType) -> ArrowError {
    ArrowError::InvalidArgumentError(format!("no scalar has cells of type {kind}"))
}

fn numbers<'a, T: ArrowPrimitiveType>(
    column: &'a dyn Array,
    by: &Constants,
    bits: impl Fn(T::Native) -> u64 + Copy + 'a,
) -> AddTo<'a> {
    let (factors, nothing) = (by.factors, by.nothing);
    if column.null_count() == column.len() {
        return Box::new(move |_, count, lanes| {
            for (lane, nothing) in lanes.iter_mut().zip(nothing) {
                lane[..count].iter_mut().for_each(|sum| add(sum, nothing));
            }
        });
    }
    let values = column.as_primitive::<T>().values();
    let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
    Box::new(move |begin, count, lanes| {
        let values = &values[begin..begin + count];
        for ((lane, factor), nothing) in lanes.iter_mut().zip(factors).zip(nothing) {
            let part = |value: T::Native| folded(bits(value)).wrapping_mul(factor);
            let cells = lane.iter_mut().zip(values);
            match nulls {
                None => cells.for_each(|(sum, value)| add(sum, part(*value))),
                Some(nulls) => cells.enumerate().for_each(|(row, (sum, value))| {
                    let is_there = nulls.is_valid(begin + row);
                    add(sum, if is_there { part(*value) } else { nothing });
                }),
            }
        }
    })
}

fn words<'a, K: ArrowDictionaryKeyType>(column: &'a dyn Array, by: &Constants) -> AddTo<'a> {
    let column = column.as_dictionary::<K>();
    let values = column.values().as_string::<i32>();
    let parts: Vec<[u64; 2]> = (0..values.len())
        .map(|place| match values.is_null(place) {
            true => by.nothing,
            false => {
                let hash = xxh3_128(values.value(place).as_bytes());
                let halves = [(hash >> 64) as u64, hash as u64];
                [0, 1].map(|lane| halves[lane].wrapping_mul(by.factors[lane]))
            }
        })
        .collect();
    let (places, nulls, nothing) = (column.keys().values(), column.nulls(), by.nothing);
    Box::new(move |begin, count, [first, second]| {
        let places = &places[begin..begin + count];
        for (row, ((first, second), place)) in first.iter_mut().zip(second).zip(places).enumerate()
        {
            let part = match nulls.is_some_and(|nulls| nulls.is_null(begin + row)) {
                true => nothing,
                false => parts[place.as_usize()],
            };
            add(first, part[0]);
            add(second, part[1]);
        }
    })
}

fn add(sum: &mut u64, part: u64) {
    *sum = sum.wrapping_add(part);
}

/// The highest bit is a double's sign, and a product would leave it where it is.
fn folded(bits: u64) -> u64 {
    bits ^ (bits >> 32)
}

fn finalised(mut mixed: u64) -> u64 {
    mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    mixed ^ (mixed >> 33)
}

#[cfg(feature = "python")]
mod python {
    use super::*;
    use crate::python::arrow::taken;
    use pyo3::exceptions::PyValueError;
    use pyo3::prelude::*;

    /// The sums of both lanes of the scalars' hashes, without Python's lock.
    #[pyfunction]
    pub fn sum_of_point_hashes(py: Python<'_>, rows: &Bound<'_, PyAny>) -> PyResult<(u64, u64)> {
        let rows = taken(rows)?;
        py.detach(|| sum_of_hashes(&rows))
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }
}

#[cfg(feature = "python")]
pub use python::sum_of_point_hashes;
