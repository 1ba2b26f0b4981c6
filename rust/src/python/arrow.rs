//! Owns how tables come from Python, and how they and errors reach it.

use std::fs::File;
use std::path::Path;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::{Array, RecordBatch, StructArray};
use pyo3::exceptions::{PyOverflowError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};

use crate::damage::Damage;
use crate::tables::Error;
use crate::unreadable::Unreadable;

/// A table that other Arrow libraries take without copying.
#[pyclass(frozen, module = "runferry._native")]
pub struct ArrowTable(RecordBatch);

#[pymethods]
impl ArrowTable {
    /// The Arrow PyCapsule interface: a struct array and its schema.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        drop(requested_schema); // a wish; whoever has it casts
        let array = StructArray::from(self.0.clone());
        let schema = FFI_ArrowSchema::try_from(self.0.schema().as_ref()).map_err(arrow_error)?;
        let exported = FFI_ArrowArray::new(&array.to_data());
        Ok((
            PyCapsule::new_with_value(py, schema, c"arrow_schema")?,
            PyCapsule::new_with_value(py, exported, c"arrow_array")?,
        ))
    }

    fn __len__(&self) -> usize {
        self.0.num_rows()
    }
}

/// The rows of an object with the Arrow PyCapsule interface; nothing is copied.
pub fn taken(rows: &Bound<'_, PyAny>) -> PyResult<StructArray> {
    let (schema, array): (Bound<'_, PyCapsule>, Bound<'_, PyCapsule>) =
        rows.call_method0("__arrow_c_array__")?.extract()?;
    let schema = schema.pointer_checked(Some(c"arrow_schema"))?;
    let array = array.pointer_checked(Some(c"arrow_array"))?;
    // SAFETY: capsules of these names hold these structs, and live until the end of this function.
    // `from_raw` leaves a released array behind, as whoever takes one has to.
    let data = unsafe {
        from_ffi(
            FFI_ArrowArray::from_raw(array.cast().as_ptr()),
            schema.cast().as_ref(),
        )
    };
    Ok(StructArray::from(data.map_err(arrow_error)?))
}

/// What should not happen: columns that make up no table.
pub fn arrow_error(error: arrow_schema::ArrowError) -> PyErr {
    PyRuntimeError::new_err(error.to_string())
}

/// An error of `runferry.errors`, with where it happened.
pub fn runferry_error(py: Python<'_>, class: &str, what: String, path: &str, hint: &str) -> PyErr {
    let raise = || -> PyResult<PyErr> {
        let named = PyDict::new(py);
        named.set_item("where", path)?;
        named.set_item("hint", hint)?;
        let class = py.import("runferry.errors")?.getattr(class)?;
        Ok(PyErr::from_value(class.call((what,), Some(&named))?))
    };
    raise().unwrap_or_else(|error| error)
}

/// How a format is known, for those who gave a file that is none.
pub struct Format {
    pub name: &'static str,
    /// What such a file is not.
    pub refusal: &'static str,
    /// How many bytes show it.
    pub head: usize,
    /// What they say in a file of the format.
    pub begins: &'static str,
}

/// A file that cannot be read, as an error of `runferry.errors`.
pub fn unreadable(py: Python<'_>, error: Unreadable, path: &str, format: &Format) -> PyErr {
    match error {
        Unreadable::Io(error) => error.into(),
        Unreadable::Arrow(error) => arrow_error(error),
        Unreadable::OtherFormat => {
            let hint = format!(
                "head -c {} '{path}' | xxd  # {}",
                format.head, format.begins
            );
            runferry_error(py, "Damaged", format.refusal.to_owned(), path, &hint)
        }
        Unreadable::UnknownVersion(version) => {
            let what = format!("version {version} of the {} format is unknown", format.name);
            let hint = "pip install --upgrade runferry";
            runferry_error(py, "UnknownVersion", what, path, hint)
        }
    }
}

/// A scan of the file at a path, and the path as errors spell it.
pub fn opened<T: Send>(
    py: Python<'_>,
    path: &Path,
    format: &Format,
    scan: impl FnOnce(File) -> Result<T, Unreadable> + Send,
) -> PyResult<(T, String)> {
    let spelled = path.display().to_string();
    let found = py.detach(|| scan(File::open(path)?));
    match found {
        Ok(scanner) => Ok((scanner, spelled)),
        Err(error) => Err(unreadable(py, error, &spelled, format)),
    }
}

/// Damage for Python: where, how many bytes, and the word for it.
pub fn damage_rows(damage: &[Damage]) -> Vec<(u64, u64, &'static str)> {
    let rows = damage.iter();
    rows.map(|d| (d.offset, d.length, d.reason.as_str()))
        .collect()
}

/// A table for Python, if there is one.
pub fn table(py: Python<'_>, table: Option<RecordBatch>) -> PyResult<Option<Py<ArrowTable>>> {
    table
        .map(|table| Py::new(py, ArrowTable(table)))
        .transpose()
}

/// What is wrong with a table that Python gave.
pub fn table_error(error: Error) -> PyErr {
    match error {
        Error::Column(name) => {
            PyValueError::new_err(format!("no such column, or not of its type: {name}"))
        }
        Error::TimeBeyond(micros) => PyOverflowError::new_err(micros),
        Error::ValueTooLong(bytes) => PyValueError::new_err(format!(
            "a value of {bytes} bytes is more than a record holds"
        )),
    }
}
