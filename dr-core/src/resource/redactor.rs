//! Takes secrets out of what is written, however somebody encoded or wrapped them on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use memchr::memmem;
use serde_json::{Map, Value};

use super::secret::Secret;
use super::undone::Undone;

/// Knows every secret that was resolved, and takes it out of what is written. Every sink writes through one.
#[derive(Debug, Clone, Default)]
pub struct Redactor(Arc<RwLock<Hidden>>);

#[derive(Default)]
struct Hidden {
    /// What is looked for as it stands, the longest first.
    forms: Vec<String>,
    /// What is looked for where encodings were undone once, and twice.
    undone: [Vec<Vec<u8>>; 2],
    /// What stays as it is where it stands alone.
    kept: BTreeSet<String>,
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

const MASK: &str = "•••";
/// Shorter values mean nothing in another alphabet: four hex digits stand in every hash.
const LEAST_ENCODED: usize = 6;
/// What is shorter stands in every word, and in the names of runs and steps: masked, nothing could be read any more.
const LEAST: usize = 4;
/// A line of a secret of several that says something by itself.
const LEAST_LINE: usize = 16;

impl Redactor {
    /// Hides a secret from now on: plain, each long line of it, as JSON, SQL and a shell write it, in base64 and in hex;
    /// and each of these percent-encoded, escaped, as HTML or wrapped over lines. A value of less than four bytes is no
    /// secret, and is not hidden.
    pub fn hide(&self, secret: &Secret) {
        let value = secret.expose();
        let lines = value.lines().map(str::trim).filter(|line| line.len() >= LEAST_LINE);
        let mut hidden = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for part in [value, value.trim()].into_iter().chain(lines).filter(|part| part.len() >= LEAST) {
            for form in forms(part) {
                hidden.add(form);
            }
        }
        hidden.forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    }

    /// Leaves a text that is nothing but this name as it is, whatever secret it holds: what a plan calls a step or a
    /// side is known to everybody, and a run could not be read, or driven, without it.
    pub fn keep(&self, name: impl Into<String>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).kept.insert(name.into());
    }

    /// The text with every secret masked, the longest first.
    pub fn redact(&self, text: &str) -> String {
        let hidden = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if hidden.kept.contains(text) {
            return text.to_owned();
        }
        let plain = hidden.forms.iter().fold(text.to_owned(), |text, form| {
            // A day's samples are looked through for every form of every secret: the plain search took minutes.
            let found = memmem::find(text.as_bytes(), form.as_bytes()).is_some();
            if found { text.replace(form, MASK) } else { text }
        });
        let places = hidden.encoded(plain.as_bytes());
        if places.is_empty() { plain } else { masked(&plain, places) }
    }

    /// The same in every string of a value, keys included; numbers are left as they are. Says whether it changed.
    pub fn redact_json(&self, value: &mut Value) -> bool {
        let changed = self.redact_values(value);
        self.redact_keys(value) | changed
    }

    /// The same, with the keys as they are: those of a type of ours are no secret, even where one is called alike.
    pub fn redact_values(&self, value: &mut Value) -> bool {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
            Value::String(text) => {
                let masked = self.redact(text);
                let changed = masked != *text;
                *text = masked;
                changed
            }
            Value::Array(values) => {
                values.iter_mut().fold(false, |changed, value| self.redact_values(value) | changed)
            }
            Value::Object(fields) => {
                fields.values_mut().fold(false, |changed, value| self.redact_values(value) | changed)
            }
        }
    }

    fn redact_keys(&self, value: &mut Value) -> bool {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
            Value::Array(values) => {
                values.iter_mut().fold(false, |changed, value| self.redact_keys(value) | changed)
            }
            Value::Object(fields) => {
                let mut changed = fields.values_mut().fold(false, |was, value| self.redact_keys(value) | was);
                let masked: BTreeMap<String, String> = fields
                    .keys()
                    .map(|key| (key.clone(), self.redact(key)))
                    .filter(|(key, masked)| key != masked)
                    .collect();
                if !masked.is_empty() {
                    changed = true;
                    let all = std::mem::take(fields);
                    let renamed =
                        all.into_iter().map(|(key, value)| (masked.get(&key).cloned().unwrap_or(key), value));
                    *fields = renamed.collect::<Map<String, Value>>();
                }
                changed
            }
        }
    }

    /// Whether nothing is hidden yet.
    pub fn is_empty(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).forms.is_empty()
    }
}

impl Hidden {
    fn add(&mut self, form: String) {
        if self.forms.contains(&form) {
            return;
        }
        // What was undone more often than it was done is looked for as that, too: a secret may look like an encoded one.
        let mut looks = vec![form.clone().into_bytes()];
        for known in &mut self.undone {
            let more = looks.last().and_then(|look| Undone::of(look)).map(|undone| undone.bytes().to_owned());
            looks.extend(more);
            for look in looks.iter().filter(|look| look.len() >= LEAST_ENCODED) {
                if !known.contains(look) {
                    known.push(look.clone());
                }
            }
        }
        self.forms.push(form);
    }

    /// Where something hidden stands encoded or wrapped.
    fn encoded(&self, text: &[u8]) -> Vec<Range<usize>> {
        if self.forms.is_empty() {
            return Vec::new();
        }
        let Some(once) = Undone::of(text) else { return Vec::new() };
        let [first, second] = &self.undone;
        let mut places: Vec<Range<usize>> = first.iter().flat_map(|wanted| once.places(wanted)).collect();
        if let Some(twice) = Undone::of(once.bytes()) {
            let found = second.iter().flat_map(|wanted| twice.places(wanted));
            places.extend(found.map(|place| once.before(place)));
        }
        places
    }
}

/// The text with the mask in these places.
fn masked(text: &str, mut places: Vec<Range<usize>>) -> String {
    places.sort_by_key(|place| (place.start, place.end));
    let (mut bytes, mut done) = (Vec::with_capacity(text.len()), 0);
    for place in places.into_iter().filter(|place| !place.is_empty()) {
        if place.start >= done {
            bytes.extend_from_slice(&text.as_bytes()[done..place.start]);
            bytes.extend_from_slice(MASK.as_bytes());
        }
        done = done.max(place.end);
    }
    bytes.extend_from_slice(&text.as_bytes()[done..]);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// How a value is written where it is not written as it is.
fn forms(value: &str) -> Vec<String> {
    let mut forms = vec![
        value.to_owned(),
        url_encoded(value),
        url_encoded(value).replace("%20", "+"),
        value.replace('\'', "''"),
        value.replace('\'', r"'\''"),
    ];
    if value.len() >= LEAST_ENCODED {
        let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
        forms.extend([hex.to_uppercase(), hex]);
    }
    for core in base64_cores(value.as_bytes()) {
        forms.extend([core.replace('+', "-").replace('/', "_"), core]);
    }
    // What is written as JSON is most likely a form in a string of it.
    let json = forms.iter().map(|form| Value::from(form.as_str()).to_string());
    let json: Vec<String> = json.map(|quoted| quoted[1..quoted.len() - 1].to_owned()).collect();
    forms.extend(json);
    forms
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
        .filter(|core| core.len() >= LEAST_ENCODED)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hiding(value: &str) -> Redactor {
        let redactor = Redactor::default();
        redactor.hide(&Secret::new(value));
        redactor
    }

    /// P28: base64, percent, hex, JSON, SQL, shell and HTML forms of a secret, once and twice, and wrapped over lines.
    ///
    /// Found: base64 for URLs, hex, percent in small letters, JSON in JSON, HTML and everything that was wrapped.
    #[test]
    fn a_secret_is_masked_in_every_encoding() {
        let redactor = hiding("p@ss\"w/rd!>'s");
        for text in [
            "p@ss\"w/rd!>'s",
            "p%40ss%22w%2Frd%21%3E%27s",
            "p%40ss%22w%2frd%21%3e%27s",
            "p%40ss%22w%2Frd!%3E's",
            "p%2540ss%2522w%252Frd%2521%253E%2527s",
            "p@ss\\\"w/rd!>'s",
            "p@ss\\\\\\\"w/rd!>'s",
            "p@ss\\\"w\\/rd!\\u003e'\\u0073",
            "p@ss\"w/rd!>''s",
            "p@ss\"w/rd!>'\\''s",
            "p@ss\"w/rd!>\\'s",
            "p@ss&quot;w/rd!&gt;&#39;s",
            "p@ss\"w/\n    rd!>'s",
            "p@ss\\\"w/\\nrd!>'s",
            "p@ss\\\"w/\\\\\\nrd!>'s",
            "dXNlcjpwQHNzIncvcmQhPidz",
            "dXNlcjpwQHNzIncv\r\ncmQhPidz",
            "7040737322772F7264213E2773",
            "7040737322772f7264213e2773",
        ] {
            let shown = redactor.redact(&format!("before {text} after"));
            assert!(shown.starts_with("before ") && shown.ends_with(" after"), "{shown}");
            assert!(shown.contains(MASK) && !shown.contains("ss"), "{text} shows in {shown}");
        }
    }

    #[test]
    fn a_secret_of_bytes_that_base64_writes_in_two_alphabets_is_masked_in_both() {
        let redactor = hiding("??>>~~??>>~~");
        for text in ["Pz8+Pn5+Pz8+Pn5+", "Pz8-Pn5-Pz8-Pn5-"] {
            assert!(redactor.redact(text).contains(MASK), "{text}");
        }
    }

    #[test]
    fn a_secret_that_looks_like_an_encoded_one_is_masked_as_it_is_and_encoded() {
        let redactor = hiding("k%41&amp;\\n+canary");
        for text in ["k%41&amp;\\n+canary", "k%2541&amp;%5Cn+canary", "k%252541%2526amp;%255Cn%2Bcanary"] {
            assert_eq!(redactor.redact(text), MASK, "{text}");
        }
    }

    /// Found: a token of one letter made a run's own name unreadable.
    #[test]
    fn a_letter_is_no_secret() {
        assert_eq!(hiding("t").redact("a step of test"), "a step of test");
    }

    #[test]
    fn each_long_line_of_a_key_is_masked_by_itself() {
        let redactor = hiding("-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nshort\n");
        let shown = redactor.redact("bad line MIIEvQIBADANBgkqhkiG9w0B, not short");
        assert_eq!(shown, "bad line •••, not short");
    }

    #[test]
    fn keys_are_masked_and_numbers_are_not() {
        let mut value = json!({ "canary-1": [{ "canary-1 again": 5432 }], "port": "5432" });
        assert!(hiding("canary-1").redact_json(&mut value));
        assert!(hiding("5432").redact_json(&mut value));
        assert_eq!(value, json!({ "•••": [{ "••• again": 5432 }], "port": "•••" }));
    }

    #[test]
    fn a_name_that_holds_a_secret_is_kept_where_it_stands_alone() {
        let redactor = hiding("test");
        redactor.keep("smoke_test");
        let mut value = json!({ "smoke_test": "smoke_test", "said": "smoke_test failed" });
        redactor.redact_json(&mut value);
        assert_eq!(value, json!({ "smoke_test": "smoke_test", "said": "smoke_••• failed" }));
    }

    #[test]
    fn what_holds_no_secret_stays_as_it_is() {
        let redactor = hiding("p@ss\"w/rd!");
        let text = "{\"a\":\"50 %\\n & more\"}\n{\"b\":\"c:\\\\new\"}\n";
        assert_eq!(redactor.redact(text), text);
    }
}
