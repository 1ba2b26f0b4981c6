//! Owns the field numbers of TensorFlow's messages, for reading and writing alike.
//!
//! They are those of `event.proto`, `summary.proto`, `tensor.proto` and `tensor_shape.proto`, and of
//! TensorBoard's plugins. What is ours is in `own_field`.

/// `Event`
pub mod event {
    pub const WALL_TIME: u32 = 1;
    pub const STEP: u32 = 2;
    pub const FILE_VERSION: u32 = 3;
    pub const GRAPH_DEF: u32 = 4;
    pub const SUMMARY: u32 = 5;
    pub const LOG_MESSAGE: u32 = 6;
    pub const SESSION_LOG: u32 = 7;
    pub const TAGGED_RUN_METADATA: u32 = 8;
    pub const META_GRAPH_DEF: u32 = 9;
    pub const SOURCE_METADATA: u32 = 10;
}

/// `Summary`
pub mod summary {
    pub const VALUE: u32 = 1;
}

/// `Summary.Value`
pub mod value {
    pub const TAG: u32 = 1;
    pub const SIMPLE_VALUE: u32 = 2;
    pub const IMAGE: u32 = 4;
    pub const HISTOGRAM: u32 = 5;
    pub const AUDIO: u32 = 6;
    pub const NODE_NAME: u32 = 7;
    pub const TENSOR: u32 = 8;
    pub const METADATA: u32 = 9;
}

/// `SummaryMetadata`
pub mod metadata {
    pub const PLUGIN_DATA: u32 = 1;
    pub const DISPLAY_NAME: u32 = 2;
    pub const DESCRIPTION: u32 = 3;
    pub const DATA_CLASS: u32 = 4;
    /// None of TensorBoard's: here alone, a value's `node_name` is kept with its metadata.
    pub const NODE_NAME: u32 = 7;
}

/// `SummaryMetadata.PluginData`
pub mod plugin_data {
    pub const PLUGIN_NAME: u32 = 1;
    pub const CONTENT: u32 = 2;
}

/// `Summary.Image`
pub mod image {
    pub const HEIGHT: u32 = 1;
    pub const COLORSPACE: u32 = 3;
    pub const ENCODED: u32 = 4;
}

/// `Summary.Audio`
pub mod audio {
    pub const SAMPLE_RATE: u32 = 1;
    pub const NUM_CHANNELS: u32 = 2;
    pub const LENGTH_FRAMES: u32 = 3;
    pub const ENCODED: u32 = 4;
    pub const CONTENT_TYPE: u32 = 5;
}

/// `HistogramProto`; its first five are the doubles min, max, num, sum and sum_squares.
pub mod histogram {
    pub const MIN: u32 = 1;
    pub const SUM_SQUARES: u32 = 5;
    pub const BUCKET_LIMIT: u32 = 6;
    pub const BUCKET: u32 = 7;
}

/// `TensorProto`; where its values stand depends on the type: `Dtype::values_field`.
pub mod tensor {
    pub const DTYPE: u32 = 1;
    pub const SHAPE: u32 = 2;
    pub const CONTENT: u32 = 4;
    pub const FLOAT_VAL: u32 = 5;
    pub const DOUBLE_VAL: u32 = 6;
    pub const INT_VAL: u32 = 7;
    pub const STRING_VAL: u32 = 8;
    pub const INT64_VAL: u32 = 10;
    pub const BOOL_VAL: u32 = 11;
    pub const HALF_VAL: u32 = 13;
    pub const UINT32_VAL: u32 = 16;
    pub const UINT64_VAL: u32 = 17;
}

/// `TensorShapeProto`, and its `Dim`.
pub mod shape {
    pub const DIM: u32 = 2;
    pub const UNKNOWN_RANK: u32 = 3;
    pub const DIM_SIZE: u32 = 1;
}

/// `DataType`, where it is written or told apart early.
pub mod dtype {
    pub const FLOAT: u8 = 1;
    pub const DOUBLE: u8 = 2;
    pub const STRING: u8 = 7;
}
