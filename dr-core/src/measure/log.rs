//! A file of samples, read back: sittings, each on one monotonic clock.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::sample::{LedgerSample, Sample};
use crate::error::{Error, Result};
use crate::ids::ResourceName;
use crate::time::{Timestamp, human};

/// The version of the lines' format. Adding is compatible; a later version is refused.
pub const SAMPLE_FORMAT: u32 = 1;

/// The line with which a process begins to measure. Each process that goes on with a file writes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sitting {
    /// When its monotonic clock stood at zero.
    pub begun: Timestamp,
    /// What is asked or written.
    pub of: ResourceName,
    /// How often.
    #[serde(with = "human")]
    pub every: Duration,
}

/// Every sitting of a file with its samples, in the file's order.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleLog<T> {
    /// Oldest first.
    pub sittings: Vec<(Sitting, Vec<T>)>,
}

/// What a prober's file holds.
pub type ProbeLog = SampleLog<Sample>;

/// What a ledger's file holds.
pub type LedgerLog = SampleLog<LedgerSample>;

#[derive(Serialize, Deserialize)]
struct Line<T> {
    v: u32,
    #[serde(flatten)]
    body: T,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Body<T> {
    Sitting(Sitting),
    Sample(T),
}

/// One value as a line, with its line feed.
pub(super) fn line(body: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(&Line { v: SAMPLE_FORMAT, body })
        .map_err(|error| Error::invalid("a sample cannot be written as JSON").because(error))?;
    bytes.push(b'\n');
    Ok(bytes)
}

impl<T> Default for SampleLog<T> {
    fn default() -> Self {
        Self { sittings: Vec::new() }
    }
}

impl<T: DeserializeOwned> SampleLog<T> {
    /// Reads a file's bytes.
    ///
    /// A process that was killed leaves half a line: at the end of the file, or just before the next sitting begins,
    /// such a line is left out.
    ///
    /// # Errors
    /// `Invalid`, with the line's number, for any other line that cannot be read or is of a later version.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut log = Self::default();
        let mut torn: Option<Error> = None;
        for (index, text) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let bad = |why: &str| {
                Error::invalid(why).during("reading samples").with("line", (index + 1).to_string())
            };
            let body = match serde_json::from_slice::<Line<Body<T>>>(text) {
                Ok(line) if line.v > SAMPLE_FORMAT => return Err(bad("a later release wrote it")),
                Ok(line) => line.body,
                Err(_) if !text.ends_with(b"\n") => return Ok(log),
                Err(error) => {
                    torn.get_or_insert(bad("the line cannot be read").because(error));
                    continue;
                }
            };
            match (body, log.sittings.last_mut()) {
                (Body::Sitting(sitting), _) => {
                    torn = None;
                    log.sittings.push((sitting, Vec::new()));
                }
                (Body::Sample(_), _) if torn.is_some() => break,
                (Body::Sample(sample), Some((_, samples))) => samples.push(sample),
                (Body::Sample(_), None) => return Err(bad("a sample stands before any sitting")),
            }
        }
        torn.map_or(Ok(log), Err)
    }
}

impl<T> SampleLog<T> {
    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.sittings.iter().map(|(_, samples)| samples.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples of the last sitting.
    pub(super) fn sitting(&mut self) -> Result<&mut Vec<T>> {
        let last = self.sittings.last_mut().map(|(_, samples)| samples);
        last.ok_or_else(|| Error::invalid("a sample stands before any sitting"))
    }

    /// Where each sitting's zero lies, in milliseconds since the first one's: by the wall clock, but never before the
    /// sitting before it ended (`last` is a sample's own time), for then the clock was set back.
    pub(super) fn origins(&self, last: impl Fn(&T) -> u64) -> Vec<i64> {
        let zero = self.sittings.first().map_or(0, |(first, _)| first.begun.as_millis());
        let mut end = 0;
        self.sittings
            .iter()
            .map(|(sitting, samples)| {
                let origin = (sitting.begun.as_millis() - zero).max(end);
                let length = samples.iter().map(&last).max().unwrap_or_default();
                end = origin.saturating_add_unsigned(length);
                origin
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Answer, SeatKind};

    fn sitting() -> Sitting {
        Sitting { begun: Timestamp::from_millis(0), of: "shop".into(), every: Duration::from_millis(250) }
    }

    fn sample(due_ms: u64) -> Sample {
        let answer = Answer::good(Some("eu".into()), true, Duration::from_millis(3));
        Sample::new(Timestamp::from_millis(1_000), due_ms, SeatKind::Kept, answer)
    }

    fn file(parts: &[&[u8]]) -> Result<ProbeLog> {
        ProbeLog::parse(&parts.concat())
    }

    #[test]
    fn a_line_says_its_version_and_everything_about_the_question() {
        assert_eq!(
            String::from_utf8(line(&sample(250)).unwrap()).unwrap(),
            "{\"v\":1,\"due\":\"1970-01-01T00:00:01.000000Z\",\"due_ms\":250,\"seat\":\"kept\",\
             \"health\":\"good\",\"served_by\":\"eu\",\"wrote\":true,\"took_ms\":3.0}\n"
        );
        assert_eq!(
            String::from_utf8(line(&sitting()).unwrap()).unwrap(),
            "{\"v\":1,\"begun\":\"1970-01-01T00:00:00.000000Z\",\"of\":\"shop\",\"every\":\"250ms\"}\n"
        );
    }

    #[test]
    fn what_was_written_is_read() {
        let (head, one) = (line(&sitting()).unwrap(), line(&sample(250)).unwrap());
        let log = file(&[&head, &one, &head, &one, &one]).unwrap();
        assert_eq!(log.sittings.iter().map(|(_, samples)| samples.len()).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(log.sittings[0].1[0], sample(250));
    }

    #[test]
    fn half_a_line_is_left_out_only_where_a_process_died() {
        let (head, one) = (line(&sitting()).unwrap(), line(&sample(250)).unwrap());
        let half = &one[..20];
        assert_eq!(file(&[&head, &one, half]).unwrap().len(), 1);
        assert_eq!(file(&[&head, &one, half, b"\n", &head, &one]).unwrap().len(), 2);
        assert!(file(&[&head, half, b"\n", &one]).is_err());
        assert!(file(&[&head, &one, half, b"\n"]).is_err());
    }

    #[test]
    fn a_later_version_is_refused() {
        let error = file(&[b"{\"v\":2,\"begun\":\"1970-01-01T00:00:00Z\",\"of\":\"x\",\"every\":\"1s\"}\n"]);
        assert!(error.unwrap_err().to_string().contains("later release"));
    }
}
