//! The content digest of rows: XXH3 of each row as it is spelled, and the sums of the hashes.
//!
//! A row is spelled cell by cell: a 0 where there is nothing, else a 1 and the value. Integers and
//! times are eight bytes, doubles their bits, all little-endian; text, bytes and lists of doubles
//! begin with their length. Where a dictionary stands for values, they are what is spelled.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrowPrimitiveType, StructArray};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use xxhash_rust::xxh3::xxh3_128;

/// Spells the cell of a row; it is not null.
type Spell<'a> = Box<dyn Fn(usize, &mut Vec<u8>) + 'a>;

/// The sums, modulo 2⁶⁴, of the upper and of the lower halves of the rows' hashes.
pub fn sum_of_hashes(rows: &StructArray) -> Result<(u64, u64), ArrowError> {
    if rows.is_empty() {
        return Ok((0, 0));
    }
    let columns = rows.columns().iter();
    let columns: Vec<_> = columns
        .map(|column| Ok((column, spelling(column.as_ref())?)))
        .collect::<Result<_, ArrowError>>()?;
    let mut spelled = Vec::new();
    let mut sums = (0_u64, 0_u64);
    for row in 0..rows.len() {
        spelled.clear();
        for (column, spell) in &columns {
            let is_there = column.is_valid(row);
            spelled.push(u8::from(is_there));
            if is_there {
                spell(row, &mut spelled);
            }
        }
        let hash = xxh3_128(&spelled);
        sums.0 = sums.0.wrapping_add((hash >> 64) as u64);
        sums.1 = sums.1.wrapping_add(hash as u64);
    }
    Ok(sums)
}

fn spelling(column: &dyn Array) -> Result<Spell<'_>, ArrowError> {
    Ok(match column.data_type() {
        DataType::Int8 => whole::<Int8Type>(column),
        DataType::Int16 => whole::<Int16Type>(column),
        DataType::Int32 => whole::<Int32Type>(column),
        DataType::Int64 => whole::<Int64Type>(column),
        DataType::Timestamp(TimeUnit::Microsecond, _) => whole::<TimestampMicrosecondType>(column),
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>().values();
            Box::new(|row, spelled| spelled.extend(values[row].to_bits().to_le_bytes()))
        }
        DataType::Boolean => {
            let values = column.as_boolean();
            Box::new(|row, spelled| spelled.push(u8::from(values.value(row))))
        }
        DataType::Utf8 => {
            let values = column.as_string::<i32>();
            Box::new(|row, spelled| push_bytes(spelled, values.value(row).as_bytes()))
        }
        DataType::Binary => {
            let values = column.as_binary::<i32>();
            Box::new(|row, spelled| push_bytes(spelled, values.value(row)))
        }
        DataType::List(item) if *item.data_type() == DataType::Float64 => {
            let lists = column.as_list::<i32>();
            let (offsets, values) = (lists.value_offsets(), lists.values());
            let values = values.as_primitive::<Float64Type>().values();
            Box::new(move |row, spelled| {
                let (begin, end) = (offsets[row] as usize, offsets[row + 1] as usize);
                push_doubles(spelled, &values[begin..end]);
            })
        }
        DataType::Dictionary(..) => words(column)?,
        other => {
            let told = format!("no row has cells of type {other}");
            return Err(ArrowError::InvalidArgumentError(told));
        }
    })
}

fn whole<T: ArrowPrimitiveType<Native: Into<i64>>>(column: &dyn Array) -> Spell<'_> {
    let values = column.as_primitive::<T>().values();
    Box::new(|row, spelled| spelled.extend(values[row].into().to_le_bytes()))
}

fn words(column: &dyn Array) -> Result<Spell<'_>, ArrowError> {
    let column = column.as_any_dictionary();
    let values = column.values();
    if values.null_count() > 0 {
        let told = "a null among the values of a dictionary";
        return Err(ArrowError::InvalidArgumentError(told.to_owned()));
    }
    if values.is_empty() {
        return Ok(Box::new(|_, _| ())); // then every cell is null
    }
    let (places, spell) = (column.normalized_keys(), spelling(values.as_ref())?);
    Ok(Box::new(move |row, spelled| spell(places[row], spelled)))
}

fn push_bytes(spelled: &mut Vec<u8>, bytes: &[u8]) {
    spelled.extend((bytes.len() as u64).to_le_bytes());
    spelled.extend_from_slice(bytes);
}

fn push_doubles(spelled: &mut Vec<u8>, values: &[f64]) {
    spelled.extend((values.len() as u64).to_le_bytes());
    let begin = spelled.len();
    spelled.resize(begin + 8 * values.len(), 0);
    let places = spelled[begin..].as_chunks_mut::<8>().0;
    for (place, value) in places.iter_mut().zip(values) {
        *place = value.to_bits().to_le_bytes();
    }
}

#[cfg(feature = "python")]
mod python {
    use super::*;
    use crate::python::arrow::taken;
    use pyo3::exceptions::PyValueError;
    use pyo3::prelude::*;

    /// The sums of the halves of the rows' hashes, without Python's lock.
    #[pyfunction]
    pub fn sum_of_row_hashes(py: Python<'_>, rows: &Bound<'_, PyAny>) -> PyResult<(u64, u64)> {
        let rows = taken(rows)?;
        py.detach(|| sum_of_hashes(&rows))
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }
}

#[cfg(feature = "python")]
pub use python::sum_of_row_hashes;

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::builder::{Float64Builder, ListBuilder, StringDictionaryBuilder};
    use arrow_array::{ArrayRef, Int64Array, StringArray};
    use arrow_schema::Field;
    use std::sync::Arc;

    fn rows(columns: Vec<ArrayRef>) -> StructArray {
        let fields = columns.iter().map(|column| {
            let kind = column.data_type().clone();
            Arc::new(Field::new("of any name", kind, true))
        });
        StructArray::new(fields.collect(), columns, None)
    }

    #[test]
    fn a_sum_is_that_of_the_hashes_of_rows_as_they_are_spelled() {
        let mut lists = ListBuilder::new(Float64Builder::new());
        lists.append_value([Some(1.5), Some(-0.0)]);
        lists.append_null();
        let found = sum_of_hashes(&rows(vec![
            Arc::new(Int64Array::from(vec![None, Some(-2)])),
            Arc::new(StringArray::from(vec!["é", ""])),
            Arc::new(lists.finish()),
        ]));
        let mut first = vec![0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0xC3, 0xA9];
        first.extend([1, 2, 0, 0, 0, 0, 0, 0, 0]);
        first.extend(1.5_f64.to_le_bytes());
        first.extend((-0.0_f64).to_le_bytes());
        let mut second = vec![1];
        second.extend((-2_i64).to_le_bytes());
        second.extend([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let (one, two) = (xxh3_128(&first), xxh3_128(&second));
        let upper = ((one >> 64) as u64).wrapping_add((two >> 64) as u64);
        let lower = (one as u64).wrapping_add(two as u64);
        assert_eq!(found.unwrap(), (upper, lower));
    }

    #[test]
    fn what_a_dictionary_stands_for_is_hashed_as_it_is() {
        let words = ["b", "a", "b"];
        let mut dictionary = StringDictionaryBuilder::<Int32Type>::new();
        dictionary.extend(words.map(Some));
        let plain = rows(vec![Arc::new(StringArray::from(words.to_vec()))]);
        let coded = rows(vec![Arc::new(dictionary.finish())]);
        assert_eq!(
            sum_of_hashes(&plain).unwrap(),
            sum_of_hashes(&coded).unwrap()
        );
    }
}
