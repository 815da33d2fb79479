//! Where a state store is.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use dr_core::Error;

/// A state store's location, as plans and command lines write it.
///
/// ```
/// use dr_store::Location;
/// let location: Location = "s3://drills/orders".parse().unwrap();
/// assert_eq!(location, Location::S3 { bucket: "drills".into(), prefix: "orders".into() });
/// assert_eq!(location.to_string(), "s3://drills/orders");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A bucket, and what every key in it begins with.
    S3 {
        /// The bucket.
        bucket: String,
        /// The prefix, without slashes at its ends; may be empty.
        prefix: String,
    },
    /// Nowhere: gone with the process.
    Memory,
}

impl FromStr for Location {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Error::invalid("the state store's location is empty"));
        }
        if text == "memory:" {
            return Ok(Self::Memory);
        }
        if let Some(path) = text.strip_prefix("file://").or_else(|| text.strip_prefix("file:")) {
            return if path.is_empty() {
                Err(Error::invalid(format!("`{text}` names no folder")))
            } else {
                Ok(Self::Folder(PathBuf::from(path)))
            };
        }
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let prefix = prefix.trim_matches('/');
            let plain =
                |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
            let segments =
                || prefix.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && plain(part));
            if bucket.is_empty() || !plain(bucket) || !(prefix.is_empty() || segments()) {
                let text = format!("`{text}` is no bucket and prefix: write s3://bucket/prefix");
                return Err(Error::invalid(text));
            }
            return Ok(Self::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() });
        }
        match text.split_once("://") {
            Some((scheme, _)) => Err(Error::unsupported(format!(
                "no state store is known for `{scheme}:`: write a folder or s3://bucket/prefix"
            ))),
            None => Ok(Self::Folder(PathBuf::from(text))),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
            Self::Memory => f.write_str("memory:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_folder_a_bucket_or_memory() {
        let read = |text: &str| text.parse::<Location>();
        assert_eq!(read("./state").unwrap(), Location::Folder("./state".into()));
        assert_eq!(read("file:///var/lib/dr").unwrap(), Location::Folder("/var/lib/dr".into()));
        assert_eq!(read("file:state").unwrap(), Location::Folder("state".into()));
        assert_eq!(read("s3://b").unwrap(), Location::S3 { bucket: "b".into(), prefix: String::new() });
        assert_eq!(read("s3://b/a/c/").unwrap(), Location::S3 { bucket: "b".into(), prefix: "a/c".into() });
        assert_eq!(read("memory:").unwrap(), Location::Memory);
    }

    #[test]
    fn what_is_no_location_is_refused() {
        for text in ["", " ", "s3://", "s3:///x", "s3://b/../x", "s3://b/a//c", "gs://b", "file:", "http://x"]
        {
            assert!(text.parse::<Location>().is_err(), "{text}");
        }
    }
}
