//! Reading a configuration: every mistake with its place.

use dr_core::resource::ConfigError;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

/// The configuration as its type, or where and why it is not.
pub(crate) fn read<T: DeserializeOwned>(config: Value) -> Result<T, Vec<ConfigError>> {
    serde_path_to_error::deserialize(config).map_err(|error| {
        let pointer = error.path().iter().fold(String::new(), |pointer, segment| match segment {
            Segment::Seq { index } => format!("{pointer}/{index}"),
            Segment::Map { key } => format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => format!("{pointer}/{variant}"),
            Segment::Unknown => pointer,
        });
        vec![ConfigError::new(pointer, error.into_inner().to_string())]
    })
}

/// `Ok` with the value if nothing is wrong with it.
pub(crate) fn settled<T>(value: Option<T>, wrong: Vec<ConfigError>) -> Result<T, Vec<ConfigError>> {
    match value {
        Some(value) if wrong.is_empty() => Ok(value),
        Some(_) | None => Err(wrong),
    }
}

/// The JSON schema of a configuration.
pub(crate) fn schema<T: schemars::JsonSchema>() -> Value {
    schemars::SchemaGenerator::default().into_root_schema_for::<T>().to_value()
}
