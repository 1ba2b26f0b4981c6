//! Owns how values are spelled in a row: the key of their series, and JSON.

use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, PrimitiveArray, RecordBatch, StringArray};

use crate::columns::{KINDS, Kind};
use crate::json::{self, put_float, put_integer, whole};
use crate::protobuf::writing::bytes;
use crate::tables::{Error, Words, primitive, strings};
use crate::wandb::own::Code;
use crate::wandb::sink::Stream;

pub const VALUE_JSON: u32 = 16;
/// Its tag as bytes.
pub const VALUE_TAG: [u8; 2] = [0x82, 0x01];
const KEY: u32 = 1;
const NESTED_KEY: u32 = 2;
const TEXT_FORMS: [&str; 2] = ["text", "json"];
/// The forms of values that come as JSON: what is shown, what it is exactly.
const GIVEN_FORMS: [&str; 3] = ["histogram", "exact-histogram", "shown"];

/// Where the values of a series go.
pub struct SeriesPlace {
    pub stream: Stream,
    /// The key as it stands in an item.
    pub key: Box<[u8]>,
    /// It is what W&B itself would put into each row.
    pub is_runtime: bool,
}

impl SeriesPlace {
    pub fn new(path: &[String], stream: Stream) -> Self {
        let mut key = Vec::new();
        match stream {
            Stream::User => path
                .iter()
                .for_each(|name| bytes(&mut key, NESTED_KEY, name.as_bytes())),
            Stream::System => bytes(&mut key, KEY, path.concat().as_bytes()),
        }
        Self {
            stream,
            key: key.into(),
            is_runtime: stream == Stream::User && path == ["_runtime"],
        }
    }
}

/// One value: JSON is appended to what is given, the rest is what the row's own field needs.
pub struct Spelled<'a> {
    pub code: Code,
    pub double: f64,
    pub exact: &'a str,
}

impl Spelled<'_> {
    /// Appends what the row's own field has to say.
    pub fn put_exact(&self, out: &mut Vec<u8>) {
        if self.code.has_double() {
            out.extend_from_slice(&self.double.to_le_bytes());
        } else {
            out.extend_from_slice(self.exact.as_bytes());
        }
    }

    fn plain(code: Code) -> Self {
        Self {
            code,
            double: 0.0,
            exact: "",
        }
    }
}

/// The columns of a table that say what its values are.
pub enum Cells {
    Points {
        value: PrimitiveArray<Float64Type>,
        value_i64: PrimitiveArray<Int64Type>,
        kind: Words,
    },
    Texts {
        text: StringArray,
        form: Words,
    },
    /// JSON that Python made, of histograms and media.
    Given {
        json: StringArray,
        exact: StringArray,
        form: Words,
    },
}

impl Cells {
    pub fn points(batch: &RecordBatch) -> Result<Self, Error> {
        Ok(Self::Points {
            value: primitive(batch, "value")?,
            value_i64: primitive(batch, "value_i64")?,
            kind: Words::new(batch, "kind", &KINDS)?,
        })
    }

    pub fn texts(batch: &RecordBatch) -> Result<Self, Error> {
        Ok(Self::Texts {
            text: strings(batch, "text")?,
            form: Words::new(batch, "form", &TEXT_FORMS)?,
        })
    }

    pub fn given(batch: &RecordBatch) -> Result<Self, Error> {
        Ok(Self::Given {
            json: strings(batch, "json")?,
            exact: strings(batch, "exact")?,
            form: Words::new(batch, "form", &GIVEN_FORMS)?,
        })
    }

    #[inline]
    pub fn spell(&self, row: usize, out: &mut Vec<u8>) -> Spelled<'_> {
        match self {
            Self::Points {
                value,
                value_i64,
                kind,
            } => {
                let double = value.is_valid(row).then(|| value.value(row));
                let exact = value_i64.is_valid(row).then(|| value_i64.value(row));
                spell_scalar(out, double, exact, kind.at(row))
            }
            Self::Texts { text, form } => {
                let is_text = form.at(row) == 0;
                if text.is_null(row) {
                    out.extend_from_slice(b"null");
                    return Spelled::plain(if is_text {
                        Code::NullText
                    } else {
                        Code::NullJson
                    });
                }
                if is_text {
                    out.extend_from_slice(json::quote(text.value(row)).as_bytes());
                    return Spelled::plain(Code::Text);
                }
                out.extend_from_slice(text.value(row).as_bytes());
                Spelled::plain(Code::Json)
            }
            Self::Given { json, exact, form } => {
                out.extend_from_slice(json.value(row).as_bytes());
                Spelled {
                    code: [Code::Histogram, Code::ExactHistogram, Code::Shown]
                        [usize::from(form.at(row))],
                    double: 0.0,
                    exact: if exact.is_valid(row) {
                        exact.value(row)
                    } else {
                        ""
                    },
                }
            }
        }
    }
}

fn spell_scalar(
    out: &mut Vec<u8>,
    value: Option<f64>,
    exact: Option<i64>,
    kind: u8,
) -> Spelled<'static> {
    const FLOAT32: u8 = Kind::Float32 as u8;
    const INT: u8 = Kind::Int as u8;
    const BOOL: u8 = Kind::Bool as u8;
    let Some(value) = value.filter(|_| kind != Kind::Null as u8) else {
        out.extend_from_slice(b"null");
        return Spelled::plain(Code::AsSpelled);
    };
    match kind {
        INT => match exact.or_else(|| whole(value)) {
            Some(integer) => put_integer(out, integer),
            None => {
                put_float(out, value);
                return with_double(Code::ExactInt, value);
            }
        },
        BOOL => out.extend_from_slice(if value == 0.0 { b"false" } else { b"true" }),
        _ => {
            put_float(out, value);
            let is_spelled = !value.is_nan() || value.to_bits() == f64::NAN.to_bits();
            return match (kind == FLOAT32, is_spelled) {
                (false, true) => Spelled::plain(Code::AsSpelled),
                (true, true) => Spelled::plain(Code::Float32),
                (false, false) => with_double(Code::ExactFloat64, value),
                (true, false) => with_double(Code::ExactFloat32, value),
            };
        }
    }
    Spelled::plain(Code::AsSpelled)
}

fn with_double(code: Code, double: f64) -> Spelled<'static> {
    Spelled {
        code,
        double,
        exact: "",
    }
}
