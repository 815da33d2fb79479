//! Secrets: asked for by reference, never written down.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::error::Result;

/// Where a secret is to be had: `${env:DR_DB_PASSWORD}`, `${file:/run/secrets/db}`. A literal is refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct SecretRef(String);

impl SecretRef {
    /// Takes a reference.
    ///
    /// # Errors
    /// A sentence that says what is expected; it does not repeat the text, which may be the secret.
    pub fn new(text: &str) -> Result<Self, String> {
        let inner = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        match inner.and_then(|inner| inner.split_once(':')) {
            Some((scheme, name)) if !scheme.is_empty() && !name.is_empty() => Ok(Self(text.to_owned())),
            _ => {
                Err("a secret is given by reference, never in the plan: ${env:NAME} or ${file:/path}"
                    .to_owned())
            }
        }
    }

    /// `env`.
    pub fn scheme(&self) -> &str {
        self.parts().0
    }

    /// `DR_DB_PASSWORD`.
    pub fn name(&self) -> &str {
        self.parts().1
    }

    fn parts(&self) -> (&str, &str) {
        self.0.trim_start_matches("${").trim_end_matches('}').split_once(':').unwrap_or(("", ""))
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A secret's value. It has no `Serialize` and shows nothing.
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<Arc<str>>) -> Self {
        Self(value.into())
    }

    /// The value, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Where an embedder keeps its secrets. Asked when a resource connects.
#[async_trait]
pub trait SecretSource: fmt::Debug + Send + Sync {
    /// The value behind a reference. `NotFound` if there is none.
    async fn fetch(&self, reference: &SecretRef) -> Result<Secret>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_secret_is_refused_without_repeating_it() {
        let error = SecretRef::new("hunter2").unwrap_err();
        assert!(!error.contains("hunter2"));
        assert!(SecretRef::new("${env:DR_DB_PASSWORD}").is_ok());
    }
}
