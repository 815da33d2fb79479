//! What we note on a thing itself, so that whoever takes a run over finds it there.

use std::collections::BTreeMap;

use dr_core::{Error, Result};

/// The tags of an instance, cluster or snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tags(pub(crate) BTreeMap<String, String>);

/// Tags' values are this long at most.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Tagging.html>
const LONGEST: usize = 256;

impl Tags {
    /// From what RDS lists.
    pub(crate) fn read(tags: &[aws_sdk_rds::types::Tag]) -> Self {
        let pair = |tag: &aws_sdk_rds::types::Tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()));
        Self(tags.iter().filter_map(pair).collect())
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// One more.
    ///
    /// # Errors
    /// `Invalid` if RDS would not take the value as it is.
    pub(crate) fn with(mut self, key: &str, value: impl Into<String>) -> Result<Self> {
        let value = value.into();
        let plain = |letter: char| letter.is_alphanumeric() || " _.:/=+-@".contains(letter);
        if value.chars().count() > LONGEST || !value.chars().all(plain) {
            return Err(Error::invalid(format!("`{value}` cannot be noted in the tag {key}")));
        }
        self.0.insert(key.to_owned(), value);
        Ok(self)
    }

    /// As RDS takes them.
    pub(crate) fn to_sdk(&self) -> Vec<aws_sdk_rds::types::Tag> {
        let tag = |(key, value): (&String, &String)| {
            aws_sdk_rds::types::Tag::builder().key(key).value(value).build()
        };
        self.0.iter().map(tag).collect()
    }
}

/// A name that RDS takes for an instance or a snapshot, from any text: letters, digits and single hyphens.
pub(crate) fn plain_name(text: &str, longest: usize) -> String {
    let mut name = String::new();
    for letter in text.chars() {
        match letter.to_ascii_lowercase() {
            letter if letter.is_ascii_alphanumeric() => name.push(letter),
            _ if !name.is_empty() && !name.ends_with('-') => name.push('-'),
            _ => {}
        }
    }
    name.truncate(longest);
    name.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rds_would_not_keep_is_refused_before_anything_is_done() {
        assert!(Tags::default().with("dr:x", "sg-1 sg-2").is_ok());
        assert!(Tags::default().with("dr:x", "sg-1,sg-2").is_err());
        assert!(Tags::default().with("dr:x", "s".repeat(257)).is_err());
    }

    #[test]
    fn a_name_is_plain() {
        let name = plain_name("20270115T080000.123Z-abcdef/promote/backup:orders", 63);
        assert_eq!(name, "20270115t080000-123z-abcdef-promote-backup-orders");
        assert_eq!(plain_name("--a--", 3), "a");
    }
}
