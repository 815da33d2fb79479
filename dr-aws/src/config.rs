//! Reading a configuration: every mistake with its place.

use std::collections::BTreeMap;

use dr_core::resource::ConfigError;
use dr_core::{Region, Side};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

/// The configuration as its type, or where and why it is not.
pub(crate) fn read<T: DeserializeOwned>(config: Value) -> Result<T, Vec<ConfigError>> {
    serde_path_to_error::deserialize(config).map_err(|error| {
        let pointer = error.path().iter().fold(String::new(), |pointer, segment| match segment {
            Segment::Seq { index } => format!("{pointer}/{index}"),
            Segment::Map { key } => format!("{pointer}/{}", escaped(key)),
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

/// The region of each of `named`: the one that `sides` gives it, else the one of the same name. A side that `sides`
/// knows and nothing else does is a mistake.
pub(crate) fn regions<'a>(
    named: impl Iterator<Item = &'a Side>,
    sides: &BTreeMap<Side, Region>,
    wrong: &mut Vec<ConfigError>,
) -> BTreeMap<Side, Region> {
    let regions: BTreeMap<Side, Region> = named
        .map(|side| {
            let region = sides.get(side).cloned().unwrap_or_else(|| Region::new(side.as_str()));
            (side.clone(), region)
        })
        .collect();
    for side in sides.keys().filter(|side| !regions.contains_key(side.as_str())) {
        wrong.push(ConfigError::new(
            format!("/sides/{}", escaped(side.as_str())),
            format!("nothing else here is said of the side `{side}`"),
        ));
    }
    regions
}

/// A key as a JSON pointer writes it.
pub(crate) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
