//! Owns lists of items as Python mappings of what their JSON means.

use std::collections::HashMap;

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyString, PyTuple};

use crate::json::{self, Scalar};
use crate::protobuf::{Fields, Wire};
use crate::python::message::Failure;
use crate::wandb::keys::{ItemValue, Keys};

/// How keys look in mappings.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum KeyStyle {
    /// Joined by `/`, but for those that would fall on one another.
    Joined,
    /// Always tuples.
    Path,
}

/// The keys of one list of items, as Python has them.
pub struct ItemView<'py> {
    py: Python<'py>,
    style: KeyStyle,
    keys: Keys,
    names: Vec<Name<'py>>,
}

struct Name<'py> {
    /// What stands in a mapping.
    shown: Bound<'py, PyAny>,
    path: Bound<'py, PyAny>,
}

impl<'py> ItemView<'py> {
    pub fn new(py: Python<'py>, style: KeyStyle) -> Self {
        Self {
            py,
            style,
            keys: Keys::default(),
            names: Vec::new(),
        }
    }

    /// The items of this field as one mapping; None if there are none, if one has no value or no
    /// JSON, or if one key stands there twice: then the list is shown as it is.
    pub fn mapping(
        &mut self,
        message: &[u8],
        number: u32,
        loads: &Bound<'py, PyAny>,
    ) -> Result<Option<Bound<'py, PyDict>>, Failure> {
        let dict = PyDict::new(self.py);
        let mut pairs = Vec::new();
        for field in Fields::new(message) {
            let (found, Wire::Bytes(item)) = field? else {
                continue;
            };
            if found != number {
                continue;
            }
            let item = self.keys.take(item)?;
            if item.slot == self.names.len() {
                self.add_name(item.slot)?;
            }
            let value = if item.is_odd {
                None
            } else {
                to_object(self.py, item.value, loads)?
            };
            let Some(value) = value else {
                return Ok(None);
            };
            dict.set_item(&self.names[item.slot].shown, &value)?;
            pairs.push((item.slot, value));
        }
        if pairs.is_empty() {
            return Ok(None);
        }
        if dict.len() == pairs.len() {
            Ok(Some(dict))
        } else {
            self.apart(&pairs)
        }
    }

    /// The same where joined keys collide: those stay tuples.
    fn apart(
        &self,
        pairs: &[(usize, Bound<'py, PyAny>)],
    ) -> Result<Option<Bound<'py, PyDict>>, Failure> {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for (slot, _) in pairs {
            *counts
                .entry(self.names[*slot].shown.to_string())
                .or_default() += 1;
        }
        let dict = PyDict::new(self.py);
        for (slot, value) in pairs {
            let name = &self.names[*slot];
            let is_alone = counts.get(&name.shown.to_string()) == Some(&1);
            dict.set_item(if is_alone { &name.shown } else { &name.path }, value)?;
        }
        Ok((dict.len() == pairs.len()).then_some(dict))
    }

    fn add_name(&mut self, slot: usize) -> PyResult<()> {
        let elements = self.keys.path(slot).into_iter();
        let path: Vec<_> = elements.map(String::from_utf8_lossy).collect();
        let joined = PyString::new(self.py, &path.join("/")).into_any();
        let path = PyTuple::new(self.py, path)?.into_any();
        let shown = if self.style == KeyStyle::Path {
            path.clone()
        } else {
            joined
        };
        self.names.push(Name { shown, path });
        Ok(())
    }
}

/// A value as a Python object; None if it is missing or no JSON.
fn to_object<'py>(
    py: Python<'py>,
    value: ItemValue<'_>,
    loads: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let scalar = match value {
        ItemValue::Json(json) => json::scalar(json),
        ItemValue::Null => Scalar::Null,
        ItemValue::Bool(value) => Scalar::Bool(value),
        ItemValue::Int(value) => Scalar::Int(value),
        ItemValue::Number(value) => Scalar::Float(value),
        ItemValue::Text(text) => {
            return Ok(Some(
                PyString::new(py, &String::from_utf8_lossy(text)).into_any(),
            ));
        }
        ItemValue::Missing => return Ok(None),
    };
    Ok(Some(match (scalar, value) {
        (Scalar::Float(value), _) => PyFloat::new(py, value).into_any(),
        (Scalar::Int(value), _) => value.into_bound_py_any(py)?,
        (Scalar::Bool(value), _) => value.into_bound_py_any(py)?,
        (Scalar::Null, _) => py.None().into_bound(py),
        (_, ItemValue::Json(json)) => match loads.call1((String::from_utf8_lossy(json),)) {
            Ok(object) => object,
            Err(error) if error.is_instance_of::<PyValueError>(py) => return Ok(None),
            Err(error) => return Err(error),
        },
        _ => return Ok(None),
    }))
}
