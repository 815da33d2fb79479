//! Reading objects, whole or in part.

use super::bucket::{NULL, no_such_key};
use super::date::http_date;
use super::put::{failed, same};
use crate::wire::{Answer, ApiError, Request};
use crate::world::World;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>,
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>
pub(super) fn object(world: &mut World, request: &Request, whole: bool) -> Result<Answer, ApiError> {
    let key = super::key(request);
    for unmodelled in ["if-modified-since", "if-unmodified-since"] {
        if request.header(unmodelled).is_some() {
            return Err(ApiError::new(
                501,
                "NotImplemented",
                format!("the simulator does not model {unmodelled}"),
            ));
        }
    }
    let id = request.filled("versionId");
    let bucket = super::bucket(world, request)?;
    let version = bucket.find(&key, id)?;
    if version.marker {
        // By itself a marker is nothing that can be read; as the current version it hides the others.
        return match id {
            Some(_) => Err(ApiError::new(
                405,
                "MethodNotAllowed",
                "The specified method is not allowed against this resource.",
            )),
            None => Err(no_such_key(&key)),
        };
    }
    if request.header("if-match").is_some_and(|wanted| !same(wanted, &version.etag)) {
        return Err(failed("If-Match"));
    }
    if request.header("if-none-match").is_some_and(|wanted| same(wanted, &version.etag)) {
        return Ok(Answer::empty(304).header("etag", &version.etag));
    }
    let length = version.body.len();
    let range = match request.header("range") {
        Some(range) => Some(parse_range(range, length)?),
        None => None,
    };
    let (begin, end) = range.unwrap_or((0, length));
    let part = version.body.slice(begin..end);
    let size = part.len();
    let mut answer = if whole { Answer::raw(part) } else { Answer::empty(200) };
    answer = answer
        .header("content-length", size.to_string())
        .header("etag", &version.etag)
        .header("last-modified", http_date(version.modified))
        .header("accept-ranges", "bytes");
    if range.is_some() {
        let last = end.saturating_sub(1);
        answer = answer.status(206).header("content-range", format!("bytes {begin}-{last}/{length}"));
    }
    if version.id != NULL {
        answer = answer.header("x-amz-version-id", &version.id);
    }
    if let Some(progress) = version.progress {
        answer = answer.header("x-amz-replication-status", progress.as_str());
    }
    for (name, value) in &version.headers {
        answer = answer.header(name, value);
    }
    if request.header("x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("enabled"))
        && range.is_none()
    {
        for (name, value) in &version.checksums {
            answer = answer.header(name, value);
        }
        answer = answer.header("x-amz-checksum-type", "FULL_OBJECT");
    }
    Ok(answer)
}

/// One range: `bytes=0-9`, `bytes=10-`, `bytes=-5`.
fn parse_range(text: &str, length: usize) -> Result<(usize, usize), ApiError> {
    let invalid = || ApiError::new(416, "InvalidRange", "The requested range is not satisfiable");
    let (from, to) =
        text.strip_prefix("bytes=").and_then(|range| range.split_once('-')).ok_or_else(invalid)?;
    let number = |text: &str| text.parse::<usize>().map_err(|_| invalid());
    let (begin, end) = match (from, to) {
        ("", last) => (length.saturating_sub(number(last)?), length),
        (first, "") => (number(first)?, length),
        (first, last) => (number(first)?, number(last)?.saturating_add(1).min(length)),
    };
    if begin >= end || begin >= length { Err(invalid()) } else { Ok((begin, end)) }
}
