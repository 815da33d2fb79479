//! Who answered, by a marker in the answer itself.

use std::collections::BTreeMap;

use dr_core::{Region, Side};
use hyper::HeaderMap;
use hyper::header::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;

const LONGEST: usize = 253;

/// Where an answer says who gave it: one of a header and a JSON pointer into the body.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MarkerConfig {
    /// A header whose value is the side's name: `x-region`.
    #[serde(default)]
    header: Option<String>,
    /// A place in a JSON body that holds the side's name: `/region`.
    #[serde(default)]
    json: Option<String>,
    /// Which value means which side, where they differ. A value that does not stand here is nobody's.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    values: Option<BTreeMap<String, Side>>,
}

#[derive(Debug, Clone)]
pub(super) struct Marker {
    place: Place,
    values: Option<BTreeMap<String, Side>>,
}

#[derive(Debug, Clone)]
enum Place {
    Header(HeaderName),
    Json(String),
}

impl Marker {
    pub(super) fn new(config: MarkerConfig) -> Result<Self, String> {
        let place = match (config.header, config.json) {
            (Some(header), None) => Place::Header(
                header.parse().map_err(|_| format!("`{header}` is not the name of an HTTP header"))?,
            ),
            (None, Some(pointer)) if pointer.starts_with('/') => Place::Json(pointer),
            (None, Some(pointer)) => {
                return Err(format!("`{pointer}` is not a JSON pointer: it begins with `/`, as in /region"));
            }
            (Some(_), Some(_)) | (None, None) => return Err("give one of `header` and `json`".to_owned()),
        };
        Ok(Self { place, values: config.values })
    }

    /// Whether the body is needed to read it.
    pub(super) fn in_body(&self) -> bool {
        matches!(self.place, Place::Json(_))
    }

    /// The sides that it can name, each in the region of its name.
    pub(super) fn sides(&self) -> BTreeMap<Side, Region> {
        self.values
            .iter()
            .flat_map(BTreeMap::values)
            .map(|side| (side.clone(), Region::new(side.as_str())))
            .collect()
    }

    /// The side that the answer names; `None` if it names none that we can understand.
    pub(super) fn read(&self, headers: &HeaderMap, body: &[u8]) -> Option<Side> {
        let value = match &self.place {
            Place::Header(name) => {
                let mut values = headers.get_all(name).iter();
                let first = values.next()?;
                // Two answers to "who are you" are none.
                if values.any(|other| other != first) {
                    return None;
                }
                first.to_str().ok()?.to_owned()
            }
            Place::Json(pointer) => {
                serde_json::from_slice::<serde_json::Value>(body).ok()?.pointer(pointer)?.as_str()?.to_owned()
            }
        };
        let value = value.trim();
        if value.is_empty() || value.len() > LONGEST {
            return None;
        }
        match &self.values {
            Some(values) => values.get(value).cloned(),
            None => Some(Side::new(value)),
        }
    }
}
