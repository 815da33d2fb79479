//! The bytes of a journal: one event a line, each line chained to the one before.
//!
//! A line is one JSON object: the [`Entry`]'s fields, then `prev`, the SHA-256 of the line before as written (without
//! its line feed; 64 zeros on the first line), then on the last line of a batch `"commit":true`. Hashes are taken over
//! bytes as written; nothing is ever serialised again.

use std::io::Write as _;

use bytes::Bytes;
use serde::Deserialize;

use super::digest::Digest;
use super::traits::{JournalError, Line};
use crate::event::{Entry, Seq};

/// The longest line that is written or read.
pub const MAX_LINE: usize = 8 << 20;

/// How the last line of a batch ends.
const COMMIT: &[u8] = br#","commit":true}"#;

/// Where a chain stands: what the next line has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The next event's number.
    pub next: Seq,
    /// The digest of the line before it.
    pub prev: Digest,
    /// The last ownership that wrote; 0 if nobody did.
    pub epoch: u64,
}

/// What a journal's bytes hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// Every committed line.
    pub lines: Vec<Line>,
    /// How many bytes they are, line feeds included.
    pub committed_len: usize,
    /// What follows the last commit: the rest of a batch that was cut off. Never part of the run.
    pub tail: Bytes,
    /// Where the next line joins.
    pub head: Head,
}

/// Reads a journal from its first byte.
///
/// # Errors
/// [`JournalError::Damaged`] if a committed line is not as it was written. What follows the last commit is no damage:
/// it is the [`Chain::tail`]. Where the two cannot be told apart (something unreadable, and after it a line that says
/// it was committed) it is damage.
pub fn read_lines(bytes: &Bytes) -> Result<Chain, JournalError> {
    let mut head = Head::start();
    let mut running = head;
    let (mut lines, mut pending) = (Vec::new(), Vec::new());
    let (mut at, mut committed_len) = (0, 0);
    while let Some(length) = bytes[at..].iter().position(|byte| *byte == b'\n') {
        let end = at + length;
        match running.follow(bytes.slice(at..end)) {
            Ok((line, commits)) => {
                pending.push(line);
                at = end + 1;
                if commits {
                    lines.append(&mut pending);
                    head = running;
                    committed_len = at;
                }
            }
            Err(why) => {
                if claims_a_commit(&bytes[at..]) {
                    return Err(JournalError::Damaged { at: running.next, why });
                }
                break;
            }
        }
    }
    let tail = bytes.slice(committed_len..);
    if tail.split(|byte| *byte == b'\n').any(|line| line.len() > MAX_LINE) {
        return Err(JournalError::Damaged { at: head.next, why: too_long() });
    }
    Ok(Chain { lines, committed_len, tail, head })
}

impl Head {
    /// Of a journal without a line.
    pub fn start() -> Self {
        Self { next: 1, prev: Digest::NONE, epoch: 0 }
    }

    /// The bytes of a batch that joins here, and the head after it. Every line is read back before it is let out: what
    /// cannot be read (a number that is none, too deep a nesting) must not be written.
    ///
    /// # Errors
    /// [`JournalError::Refused`] if the batch does not continue the chain or cannot be written.
    pub fn encode(&self, batch: &[Entry]) -> Result<(Vec<u8>, Self), JournalError> {
        let mut head = *self;
        let mut bytes = Vec::new();
        for (index, entry) in batch.iter().enumerate() {
            let begin = bytes.len();
            let refused = |why: String| JournalError::Refused { why: format!("event {}: {why}", entry.seq) };
            serde_json::to_writer(&mut bytes, entry).map_err(|error| refused(error.to_string()))?;
            bytes.pop();
            write!(bytes, r#","prev":"{}""#, head.prev).map_err(|error| refused(error.to_string()))?;
            bytes.extend_from_slice(if index + 1 == batch.len() { COMMIT } else { b"}" });
            head.follow(Bytes::copy_from_slice(&bytes[begin..])).map_err(refused)?;
            bytes.push(b'\n');
        }
        Ok((bytes, head))
    }

    /// Moves behind `bytes`, if they are the next line; says whether it commits.
    fn follow(&mut self, bytes: Bytes) -> Result<(Line, bool), String> {
        #[derive(Deserialize)]
        struct Link {
            seq: Seq,
            epoch: u64,
            prev: Digest,
            #[serde(default)]
            commit: bool,
        }
        if bytes.len() > MAX_LINE {
            return Err(too_long());
        }
        let link: Link = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        if link.seq != self.next {
            return Err(format!("it says it is event {}", link.seq));
        }
        if link.prev != self.prev {
            return Err("the event before it is not the one that it was written after".to_owned());
        }
        if link.epoch < self.epoch {
            return Err(format!("ownership {} wrote after ownership {}", link.epoch, self.epoch));
        }
        if link.epoch == u64::MAX {
            return Err("no ownership can follow on its own".to_owned());
        }
        let entry: Entry = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        *self = Self { next: self.next + 1, prev: Digest::of(&bytes), epoch: link.epoch };
        Ok((Line { bytes, entry }, link.commit))
    }
}

/// Whether a whole line in there ends as the last line of a batch does.
fn claims_a_commit(bytes: &[u8]) -> bool {
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .any(|line| line.strip_suffix(b"\n").is_some_and(|line| line.trim_ascii_end().ends_with(COMMIT)))
}

fn too_long() -> String {
    format!("the line is longer than {} MiB", MAX_LINE >> 20)
}
