//! Secrets: asked for by reference, never written down.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use memchr::memmem;
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

/// Knows every secret that was resolved, and takes it out of what is written. Every sink writes through one.
#[derive(Debug, Clone, Default)]
pub struct Redactor(Arc<RwLock<BTreeSet<Hidden>>>);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Hidden(String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

const MASK: &str = "•••";

impl Redactor {
    /// Hides a secret from now on, plain, URL-encoded, base64-encoded and as JSON writes it.
    pub fn hide(&self, secret: &Secret) {
        let value = secret.expose();
        if value.is_empty() {
            return;
        }
        let json = serde_json::Value::from(value).to_string();
        let forms = [value.to_owned(), url_encoded(value), json[1..json.len() - 1].to_owned()]
            .into_iter()
            .chain(base64_cores(value.as_bytes()));
        let mut hidden = self.0.write().unwrap_or_else(PoisonError::into_inner);
        hidden.extend(forms.filter(|form| !form.is_empty()).map(Hidden));
    }

    /// The text with every secret masked, the longest first.
    pub fn redact(&self, text: &str) -> String {
        let hidden = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut forms: Vec<&str> = hidden.iter().map(|form| form.0.as_str()).collect();
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        forms.into_iter().fold(text.to_owned(), |text, form| {
            // A day's samples are looked through for every form of every secret: the plain search took minutes.
            let found = memmem::find(text.as_bytes(), form.as_bytes()).is_some();
            if found { text.replace(form, MASK) } else { text }
        })
    }

    /// Whether nothing is hidden yet.
    pub fn is_empty(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

fn url_encoded(value: &str) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// The base64 characters that a value determines by itself, at each of its three possible offsets in a longer
/// text (`user:password` puts it at any).
fn base64_cores(bytes: &[u8]) -> Vec<String> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..3)
        .map(|offset| {
            let mut bits: Vec<bool> = vec![false; offset * 8];
            bits.extend(bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)));
            let first = (offset * 8).div_ceil(6);
            bits.chunks_exact(6)
                .skip(first)
                .map(|six| six.iter().fold(0_usize, |sum, bit| sum << 1 | usize::from(*bit)))
                .map(|index| char::from(ALPHABET[index]))
                .collect::<String>()
        })
        .filter(|core| core.len() >= 6)
        .collect()
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

    /// P28: base64, percent and JSON escapes of a secret.
    #[test]
    fn a_secret_is_masked_in_every_encoding() {
        let redactor = Redactor::default();
        redactor.hide(&Secret::new("p@ss\"w/rd!"));
        for text in ["p@ss\"w/rd!", "p%40ss%22w%2Frd%21", "p@ss\\\"w/rd!", "dXNlcjpwQHNzIncvcmQh"] {
            let shown = redactor.redact(&format!("before {text} after"));
            assert!(shown.contains(MASK), "{text} shows in {shown}");
        }
    }
}
