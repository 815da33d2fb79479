//! SHA-256 while bytes go by.

use std::io::{self, Read, Write};

use dr_core::journal::Digest;
use sha2::{Digest as _, Sha256};

/// How much is read at once: enough for the hash to be what takes the time.
pub(crate) const CHUNK: usize = 256 * 1024;

fn digest(hash: Sha256) -> Digest {
    let bytes: [u8; 32] = hash.finalize().into();
    Digest::from(bytes)
}

/// A writer that knows how much went through it, and its hash.
#[derive(Debug)]
pub(crate) struct Hashing<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Hashing<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }

    /// What it wrote to, how many bytes, and their digest.
    pub(crate) fn finish(self) -> (W, u64, Digest) {
        (self.inner, self.bytes, digest(self.hash))
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.hash.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// What reading a file to its end found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Hashed {
    pub(crate) sha256: Digest,
    pub(crate) bytes: u64,
    /// The hash of the first `prefix` bytes, if there are as many.
    pub(crate) prefix: Option<Digest>,
}

/// Hashes what a reader gives, to its end or one byte beyond `limit`, in one pass; beside the whole also the first
/// `prefix` bytes.
pub(crate) fn hash(reader: impl Read, limit: u64, prefix: Option<u64>) -> io::Result<Hashed> {
    let mut reader = reader.take(limit.saturating_add(1));
    let (mut hash, mut bytes, mut found) = (Sha256::new(), 0_u64, None);
    let mut buffer = vec![0; CHUNK];
    loop {
        if prefix == Some(bytes) {
            found = Some(digest(hash.clone()));
        }
        // A chunk never crosses the prefix's end.
        let room = prefix
            .and_then(|prefix| prefix.checked_sub(bytes))
            .filter(|left| *left > 0)
            .map_or(CHUNK, |left| usize::try_from(left).unwrap_or(CHUNK).min(CHUNK));
        match reader.read(&mut buffer[..room]) {
            Ok(0) => break,
            Ok(read) => {
                hash.update(&buffer[..read]);
                bytes += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Hashed { sha256: digest(hash), bytes, prefix: found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_hashed_in_the_same_pass() {
        let bytes: Vec<u8> = (0..700_000_u32).map(|number| number as u8).collect();
        for length in [0_usize, 1, CHUNK - 1, CHUNK, CHUNK + 1, bytes.len()] {
            let found = hash(bytes.as_slice(), u64::MAX, Some(length as u64)).unwrap();
            assert_eq!(found.prefix, Some(Digest::of(&bytes[..length])));
            assert_eq!((found.sha256, found.bytes), (Digest::of(&bytes), bytes.len() as u64));
        }
        assert_eq!(hash(&b"short"[..], u64::MAX, Some(6)).unwrap().prefix, None);
    }

    #[test]
    fn reading_ends_one_byte_beyond_the_limit() {
        assert_eq!(hash(io::repeat(7), 1_000, None).unwrap().bytes, 1_001);
    }
}
