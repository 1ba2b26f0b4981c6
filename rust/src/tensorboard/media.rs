//! Owns media: images and clips one a row, PR curves as JSON, meshes as their tensors.

use std::fmt::Write;

use crate::columns::At;
use crate::json::quote;
use crate::protobuf::{Fields, Malformed, Wire};
use crate::tensorboard::dtype::Dtype;
use crate::tensorboard::fields::{audio, image};
use crate::tensorboard::histogram::{push_float, push_list};
use crate::tensorboard::rows::{Item, MediaForm, MediaRows};
use crate::tensorboard::tensor::Tensor;

/// The rows of a tensor of the plugin `pr_curves`.
const CURVES: [&str; 6] = [
    "true_positives",
    "false_positives",
    "true_negatives",
    "false_negatives",
    "precision",
    "recall",
];
/// `MeshPluginData.ContentType`.
const MESH_PARTS: [&str; 4] = ["UNDEFINED", "VERTEX", "FACE", "COLOR"];

/// Where the rows of one value go.
pub struct Target<'a> {
    pub rows: &'a mut MediaRows,
    pub series: i32,
    pub at: &'a At,
}

impl Target<'_> {
    fn push(&mut self, index: usize, form: MediaForm, content: &[u8], metadata: Option<&str>) {
        self.push_with_caption(index, form, content, None, metadata);
    }

    fn push_with_caption(
        &mut self,
        index: usize,
        form: MediaForm,
        content: &[u8],
        caption: Option<&str>,
        metadata: Option<&str>,
    ) {
        let index = index as i32; // fewer than bytes in a record
        let item = Item {
            index,
            form,
            content,
            caption,
            metadata,
        };
        self.rows.push(self.series, self.at, &item);
    }

    /// `Summary.Image`: height, width, colorspace, bytes.
    pub fn image(&mut self, message: &[u8]) -> Result<(), Malformed> {
        let (mut numbers, mut content) = ([0i32; 3], &b""[..]);
        for field in Fields::new(message) {
            match field? {
                (number @ image::HEIGHT..=image::COLORSPACE, Wire::Varint(value)) => {
                    numbers[(number - image::HEIGHT) as usize] = value as i32;
                }
                (image::ENCODED, Wire::Bytes(bytes)) => content = bytes,
                _ => return Err(Malformed),
            }
        }
        let [height, width, colorspace] = numbers;
        let metadata =
            format!(r#"{{"width":{width},"height":{height},"colorspace":{colorspace}}}"#);
        self.push(0, MediaForm::Image, content, Some(&metadata));
        Ok(())
    }

    /// `Summary.Audio`: sample rate, channels, frames, bytes, content type.
    pub fn audio(&mut self, message: &[u8]) -> Result<(), Malformed> {
        let (mut rate, mut numbers) = (0f32, [0i64; 2]);
        let (mut content, mut content_type) = (&b""[..], "");
        for field in Fields::new(message) {
            match field? {
                (audio::SAMPLE_RATE, Wire::Fixed32(bits)) => rate = f32::from_bits(bits),
                (number @ audio::NUM_CHANNELS..=audio::LENGTH_FRAMES, Wire::Varint(value)) => {
                    numbers[(number - audio::NUM_CHANNELS) as usize] = value as i64;
                }
                (audio::ENCODED, Wire::Bytes(bytes)) => content = bytes,
                (audio::CONTENT_TYPE, Wire::Bytes(text)) => content_type = text_of(text)?,
                _ => return Err(Malformed),
            }
        }
        let mut metadata = String::from("{\"sample_rate\":");
        push_float(&mut metadata, f64::from(rate));
        let [channels, frames] = numbers;
        // Writing to a string cannot fail.
        let _ = write!(
            metadata,
            r#","num_channels":{channels},"length_frames":{frames},"content_type":{}}}"#,
            quote(content_type)
        );
        self.push(0, MediaForm::Audio, content, Some(&metadata));
        Ok(())
    }

    /// The tensor of `images`: width and height as text, then images. False if it is no such tensor.
    pub fn images(&mut self, tensor: &Tensor<'_>) -> Result<bool, Malformed> {
        if tensor.dtype != Dtype::String || tensor.dims().len() != 1 {
            return Ok(false);
        }
        let strings = tensor.strings()?;
        let [width, height, images @ ..] = &strings[..] else {
            return Ok(false);
        };
        let (Some(width), Some(height)) = (whole(width), whole(height)) else {
            return Ok(false);
        };
        let metadata = format!(r#"{{"width":{width},"height":{height}}}"#);
        for (index, image) in images.iter().enumerate() {
            self.push(index, MediaForm::Image, image, Some(&metadata));
        }
        Ok(!images.is_empty())
    }

    /// The tensor of `audio`: clips, or clips and labels. False if it is no such tensor.
    pub fn clips(&mut self, tensor: &Tensor<'_>) -> Result<bool, Malformed> {
        let width = match tensor.dims() {
            [] | [_] => 1,
            [_, 2] => 2,
            _ => return Ok(false),
        };
        if tensor.dtype != Dtype::String {
            return Ok(false);
        }
        let strings = tensor.strings()?;
        if strings
            .iter()
            .skip(1)
            .step_by(2)
            .any(|label| str::from_utf8(label).is_err())
            && width == 2
        {
            return Err(Malformed);
        }
        for (index, clip) in strings.chunks_exact(width).enumerate() {
            let label = clip.get(1).and_then(|label| str::from_utf8(label).ok());
            self.push_with_caption(index, MediaForm::Audio, clip[0], label, None);
        }
        Ok(!strings.is_empty())
    }

    /// A tensor of six curves as JSON: lists by name. False if it is no such tensor.
    pub fn pr_curve(&mut self, tensor: &Tensor<'_>) -> Result<bool, Malformed> {
        let (true, [6, thresholds]) = (tensor.dtype.is_float(), tensor.dims()) else {
            return Ok(false);
        };
        let doubles = tensor.doubles()?;
        let mut json = String::with_capacity(8 * doubles.len());
        let curves = doubles.chunks((*thresholds as usize).max(1));
        if curves.len() != CURVES.len() {
            return Ok(false);
        }
        for (place, (name, curve)) in CURVES.iter().zip(curves).enumerate() {
            json.push_str(if place == 0 { "{\"" } else { ",\"" });
            json.push_str(name);
            json.push_str("\":");
            push_list(&mut json, curve, |json, value| push_float(json, *value));
        }
        json.push('}');
        let dtype = match tensor.dtype {
            Dtype::Double => "float64",
            Dtype::Half => "float16",
            Dtype::Bfloat16 => "bfloat16",
            _ => "float32",
        };
        let metadata = format!(r#"{{"plugin":"pr_curves","dtype":"{dtype}"}}"#);
        self.push(0, MediaForm::PrCurve, json.as_bytes(), Some(&metadata));
        Ok(true)
    }

    /// One part of a mesh: its tensor as it stands there.
    pub fn mesh(&mut self, tensor: &[u8], content: &[u8]) -> Result<(), Malformed> {
        let metadata = mesh_metadata(content)?;
        self.push(0, MediaForm::Mesh, tensor, Some(&metadata));
        Ok(())
    }

    /// Bytes that a plugin keeps in a tensor with one string, or several.
    pub fn blobs(&mut self, form: MediaForm, tensor: &Tensor<'_>) -> Result<bool, Malformed> {
        if tensor.dtype != Dtype::String || tensor.dims().len() > 1 {
            return Ok(false);
        }
        let strings = tensor.strings()?;
        for (index, content) in strings.iter().enumerate() {
            self.push(index, form, content, None);
        }
        Ok(!strings.is_empty())
    }

    pub fn blob(&mut self, form: MediaForm, content: &[u8]) {
        self.push(0, form, content, None);
    }
}

/// What is no text makes a value that cannot be said: it is kept as its event.
fn text_of(bytes: &[u8]) -> Result<&str, Malformed> {
    str::from_utf8(bytes).map_err(|_| Malformed)
}

fn whole(text: &[u8]) -> Option<u64> {
    let is_plain = text.first() != Some(&b'0') || text.len() == 1;
    let digits = str::from_utf8(text).ok()?;
    (is_plain && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}

/// `MeshPluginData` by its fields.
fn mesh_metadata(content: &[u8]) -> Result<String, Malformed> {
    let mut json = String::from(r#"{"plugin":"mesh""#);
    let mut shape: Vec<i32> = Vec::new();
    let mut text = |name: &str, value: &dyn std::fmt::Display| {
        // Writing to a string cannot fail.
        let _ = write!(json, r#","{name}":{value}"#);
    };
    for field in Fields::new(content) {
        match field? {
            (1, Wire::Varint(version)) => text("version", &(version as i32)),
            (2, Wire::Bytes(name)) => text("name", &quote(text_of(name)?)),
            (3, Wire::Varint(part)) => match MESH_PARTS.get(part as usize) {
                Some(word) => text("content_type", &quote(word)),
                None => text("content_type", &(part as i32)),
            },
            (5, Wire::Bytes(config)) => {
                text("json_config", &quote(text_of(config)?));
            }
            (6, Wire::Varint(size)) => shape.push(size as i32),
            (6, Wire::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    shape.push(crate::protobuf::varint(&mut packed)? as i32);
                }
            }
            (7, Wire::Varint(components)) => text("components", &(components as u32)),
            _ => {}
        }
    }
    let sizes: Vec<String> = shape.iter().map(i32::to_string).collect();
    text("shape", &format!("[{}]", sizes.join(",")));
    json.push('}');
    Ok(json)
}
