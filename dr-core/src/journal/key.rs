//! Keys: how names of any kind become names that every store takes.

use super::digest::Digest;
use crate::error::{Error, Result};

/// A segment that would be as long or longer is cut to this and ends with its digest: no whole one is as long as a cut
/// one.
const LONGEST: usize = 120;

/// One segment of a key for a text of any kind: letters, digits, `.` and `-` stand for themselves, everything else
/// as `_` and its code, so that different texts have different segments.
pub(super) fn segment(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for (index, byte) in text.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || byte == b'-' || (byte == b'.' && index > 0);
        if plain {
            segment.push(char::from(byte));
        } else {
            segment.push_str(&format!("_{byte:02x}"));
        }
    }
    if segment.is_empty() {
        segment.push('_');
    }
    if segment.len() >= LONGEST {
        segment.truncate(LONGEST - 65);
        segment.push_str(&format!("_{}", Digest::of(text.as_bytes())));
    }
    segment
}

/// A numbered key: `bundles/000007.json`.
pub(super) fn numbered(folder: &str, number: u64) -> String {
    format!("{folder}{number:06}.json")
}

/// The number of a numbered key.
pub(super) fn number(key: &str) -> Option<u64> {
    key.rsplit('/').next()?.strip_suffix(".json")?.parse().ok()
}

/// Whether a key is one: segments of letters, digits, `.`, `_` and `-` that do not begin with a dot.
///
/// # Errors
/// `Invalid` if it is not.
pub(super) fn check(key: &str) -> Result<()> {
    let good = |segment: &str| {
        !segment.is_empty()
            && !segment.starts_with('.')
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    if key.split('/').all(good) { Ok(()) } else { Err(Error::invalid(format!("`{key}` is no key"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_texts_have_different_segments() {
        let long = "x".repeat(500);
        let texts = ["a/b", "a_2fb", "a", "", "..", "ä", "a b", &long, &format!("{long}y"), "_"];
        let segments: std::collections::BTreeSet<String> = texts.iter().map(|text| segment(text)).collect();
        assert_eq!(segments.len(), texts.len());
        assert!(segments.iter().all(|segment| check(segment).is_ok() && segment.len() <= LONGEST));
    }

    /// Stores hold such names: this is a format.
    #[test]
    fn a_segment_reads_as_its_text_where_it_can() {
        assert_eq!(segment("pg://db-1.eu/orders_7"), "pg_3a_2f_2fdb-1.eu_2forders_5f7");
        assert_eq!(segment("..a"), "_2e.a");
        let (whole, cut) = ("x".repeat(119), "x".repeat(120));
        assert_eq!(segment(&whole), whole);
        assert_eq!(segment(&cut), format!("{}_{}", "x".repeat(55), Digest::of(cut.as_bytes())));
    }

    /// Found: one could be written that had.
    #[test]
    fn no_text_has_the_segment_of_a_longer_one_that_was_cut() {
        for number in 0..1000 {
            let long = format!("{}{number}", "x".repeat(500));
            let digest = Digest::of(long.as_bytes()).to_string();
            if let Some(rest) = digest.strip_prefix("3a") {
                let short = format!("{}:{rest}", "x".repeat(55));
                assert_ne!(segment(&short), segment(&long));
                return;
            }
        }
        panic!("no digest begins with the code of a colon");
    }

    #[test]
    fn a_key_cannot_leave_its_folder() {
        for key in ["", "/", "a//b", "../a", "a/../b", "a/.tmp", "a b", "a\0", "a\\b"] {
            assert!(check(key).is_err(), "{key}");
        }
        check("runs/20261121T020000Z-abc/inbox/000001.json").unwrap();
    }
}
