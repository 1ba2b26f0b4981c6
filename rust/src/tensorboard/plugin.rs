//! Owns the plugins of TensorBoard: their names, and what their values are to us.

use crate::protobuf::writing::varint_field;
use crate::tensorboard::fields::metadata;
use crate::tensorboard::metadata::plugin_metadata;
use crate::tensorboard::rows::MediaForm;

/// Names that are needed elsewhere, too.
pub mod name {
    pub const GRAPHS: &[u8] = b"graphs";
    pub const GRAPH_TAGGED_RUN_METADATA: &[u8] = b"graph_tagged_run_metadata";
    /// Records of ours.
    pub const RUNFERRY: &[u8] = b"runferry";
}

/// What values of a plugin become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// No plugin, or `scalars`.
    Plain,
    Scalars,
    Histograms,
    Images,
    Audio,
    Text,
    PrCurves,
    Mesh,
    Graph(MediaForm),
    Hparams,
    Layout,
    Runferry,
    Other,
}

impl Role {
    pub fn of(plugin: &[u8]) -> Self {
        match plugin {
            b"" => Self::Plain,
            b"scalars" => Self::Scalars,
            b"histograms" | b"distributions" => Self::Histograms,
            b"images" => Self::Images,
            b"audio" => Self::Audio,
            b"text" => Self::Text,
            b"pr_curves" => Self::PrCurves,
            b"mesh" => Self::Mesh,
            name::GRAPHS => Self::Graph(MediaForm::GraphDef),
            b"graph_run_metadata" => Self::Graph(MediaForm::GraphRunMetadata),
            b"graph_run_metadata_graph" => Self::Graph(MediaForm::GraphRunMetadataGraph),
            name::GRAPH_TAGGED_RUN_METADATA => Self::Graph(MediaForm::TaggedRunMetadata),
            b"graph_keras_model" => Self::Graph(MediaForm::GraphKerasModel),
            b"hparams" => Self::Hparams,
            b"custom_scalars" => Self::Layout,
            name::RUNFERRY => Self::Runferry,
            _ => Self::Other,
        }
    }
}

/// `SummaryMetadata.data_class`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DataClass {
    Scalar = 1,
    Tensor = 2,
}

/// The plugin by which TensorBoard shows the rows of a table that we write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Scalars,
    Text,
    Histograms,
}

impl Shown {
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalars => "scalars",
            Self::Text => "text",
            Self::Histograms => "histograms",
        }
    }

    fn data_class(self) -> DataClass {
        match self {
            Self::Scalars => DataClass::Scalar,
            Self::Text | Self::Histograms => DataClass::Tensor,
        }
    }

    /// The `SummaryMetadata` of a tag; `facts` are spelled already.
    pub fn metadata(self, content: &[u8], facts: &[u8]) -> Vec<u8> {
        let mut raw = plugin_metadata(self.name().as_bytes(), content, facts);
        varint_field(&mut raw, metadata::DATA_CLASS, self.data_class() as u64);
        raw
    }
}
