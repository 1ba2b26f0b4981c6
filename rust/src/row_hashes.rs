//! The content digest of rows: BLAKE2b of each row as it is spelled, and the sums of the hashes.
//!
//! How a row is spelled, and what a digest means, is Python's (`runferry.archive.digest`).

use blake2b_simd::Params;
use blake2b_simd::many::{HashManyJob, hash_many};

/// One piece of every row, in the order of the rows; `null` where a row has none.
pub struct Pieces {
    /// Whether they are bytes that are spelled in hex, between quotes, or spelled already.
    pub in_hex: bool,
    pub items: Vec<Option<Vec<u8>>>,
}

/// Rows that are hashed side by side: a few for each lane of the processor, all within its cache.
const AT_ONCE: usize = 16;
const HALF_BYTES: usize = 8;

/// The sums, modulo 2⁶⁴, of the upper and of the lower halves of the rows' hashes.
///
/// A row is spelled `[` piece `,` piece … `]`. Panics where not all pieces have as many rows.
pub fn sum_of_hashes(pieces: &[Pieces]) -> (u64, u64) {
    let mut params = Params::new();
    params.hash_length(2 * HALF_BYTES);
    let rows = pieces.first().map_or(0, |piece| piece.items.len());
    let mut lines = vec![Vec::new(); AT_ONCE];
    let mut sums = (0_u64, 0_u64);
    for begin in (0..rows).step_by(AT_ONCE) {
        let some = &mut lines[..AT_ONCE.min(rows - begin)];
        for (row, line) in (begin..).zip(some.iter_mut()) {
            spell(pieces, row, line);
        }
        let mut jobs: Vec<_> = some
            .iter()
            .map(|line| HashManyJob::new(&params, line))
            .collect();
        hash_many(jobs.iter_mut());
        for job in &jobs {
            let hash = job.to_hash();
            let (upper, lower) = hash.as_bytes().split_at(HALF_BYTES);
            sums.0 = sums.0.wrapping_add(big_endian(upper));
            sums.1 = sums.1.wrapping_add(big_endian(lower));
        }
    }
    sums
}

fn spell(pieces: &[Pieces], row: usize, line: &mut Vec<u8>) {
    line.clear();
    line.push(b'[');
    for (number, piece) in pieces.iter().enumerate() {
        if number > 0 {
            line.push(b',');
        }
        match &piece.items[row] {
            None => line.extend_from_slice(b"null"),
            Some(bytes) if piece.in_hex => {
                line.push(b'"');
                let begin = line.len();
                line.resize(begin + 2 * bytes.len(), 0);
                for (two, &byte) in line[begin..].chunks_exact_mut(2).zip(bytes) {
                    two.copy_from_slice(&HEX[usize::from(byte)]);
                }
                line.push(b'"');
            }
            Some(bytes) => line.extend_from_slice(bytes),
        }
    }
    line.push(b']');
}

const HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
};

fn big_endian(half: &[u8]) -> u64 {
    half.iter()
        .fold(0, |number, &byte| number << 8 | u64::from(byte))
}

#[cfg(feature = "python")]
mod python {
    use super::*;
    use pyo3::buffer::PyBuffer;
    use pyo3::exceptions::PyValueError;
    use pyo3::prelude::*;

    /// The sums of the halves of the rows' hashes, without Python's lock.
    #[pyfunction]
    pub fn sum_of_row_hashes(
        py: Python<'_>,
        columns: Vec<(bool, Vec<Option<PyBuffer<u8>>>)>,
    ) -> PyResult<(u64, u64)> {
        let pieces = columns
            .into_iter()
            .map(|(in_hex, items)| {
                let items = items
                    .into_iter()
                    .map(|item| item.map(|bytes| bytes.to_vec(py)).transpose())
                    .collect::<PyResult<_>>()?;
                Ok(Pieces { in_hex, items })
            })
            .collect::<PyResult<Vec<_>>>()?;
        if pieces
            .windows(2)
            .any(|two| two[0].items.len() != two[1].items.len())
        {
            return Err(PyValueError::new_err("columns of different lengths"));
        }
        Ok(py.detach(|| sum_of_hashes(&pieces)))
    }
}

#[cfg(feature = "python")]
pub use python::sum_of_row_hashes;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_that_of_the_hashes_of_rows_as_they_are_spelled() {
        let rows = AT_ONCE + 3;
        let pieces = [
            Pieces {
                in_hex: false,
                items: (0..rows)
                    .map(|row| Some(format!("\"k\",{row}").into_bytes()))
                    .collect(),
            },
            Pieces {
                in_hex: true,
                items: (0..rows)
                    .map(|row| (row != 1).then(|| vec![0xA5; row]))
                    .collect(),
            },
        ];
        let spelled = (0..rows).map(|row| match row {
            1 => "[\"k\",1,null]".to_owned(),
            _ => format!("[\"k\",{row},\"{}\"]", "a5".repeat(row)),
        });
        let mut params = Params::new();
        params.hash_length(16);
        let expected = spelled.fold((0_u64, 0_u64), |sums, line| {
            let hash = params.hash(line.as_bytes());
            let half =
                |at: usize| u64::from_be_bytes(hash.as_bytes()[at..at + 8].try_into().unwrap());
            (sums.0.wrapping_add(half(0)), sums.1.wrapping_add(half(8)))
        });
        assert_eq!(sum_of_hashes(&pieces), expected);
        assert_eq!(sum_of_hashes(&[]), (0, 0));
    }
}
