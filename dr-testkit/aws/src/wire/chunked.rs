//! `aws-chunked` bodies: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>.

use bytes::{Bytes, BytesMut};
use hyper::HeaderMap;

use super::ApiError;

/// The body without its chunks, and the trailers behind it.
pub(crate) fn plain_body(
    headers: &HeaderMap,
    body: Bytes,
) -> Result<(Bytes, Vec<(String, String)>), ApiError> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let chunked = text("content-encoding").split(',').any(|part| part.trim() == "aws-chunked")
        || text("x-amz-content-sha256").starts_with("STREAMING-");
    if !chunked {
        return Ok((body, Vec::new()));
    }
    let mut rest = &body[..];
    let mut plain = BytesMut::with_capacity(rest.len());
    loop {
        let line = take_line(&mut rest)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| incomplete())?;
        if size == 0 {
            break;
        }
        let chunk = rest.get(..size).ok_or_else(incomplete)?;
        plain.extend_from_slice(chunk);
        rest = rest.get(size..).and_then(|rest| rest.strip_prefix(b"\r\n")).ok_or_else(incomplete)?;
    }
    let mut trailers = Vec::new();
    while !rest.is_empty() {
        let line = take_line(&mut rest)?;
        if let Some((name, value)) = line.split_once(':') {
            trailers.push((name.trim().to_lowercase(), value.trim().to_owned()));
        }
    }
    if let Ok(length) = text("x-amz-decoded-content-length").parse::<usize>()
        && length != plain.len()
    {
        return Err(incomplete());
    }
    Ok((plain.freeze(), trailers))
}

fn take_line<'a>(rest: &mut &'a [u8]) -> Result<&'a str, ApiError> {
    let end = rest.windows(2).position(|pair| pair == b"\r\n").ok_or_else(incomplete)?;
    let line = std::str::from_utf8(&rest[..end]).map_err(|_| incomplete())?;
    *rest = &rest[end + 2..];
    Ok(line)
}

fn incomplete() -> ApiError {
    ApiError::new(
        400,
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    )
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn chunks_are_joined_and_trailers_kept() {
        let mut headers = HeaderMap::new();
        headers.insert("content-encoding", HeaderValue::from_static("aws-chunked"));
        headers.insert("x-amz-decoded-content-length", HeaderValue::from_static("5"));
        let body = Bytes::from_static(
            b"3\r\nabc\r\n2;chunk-signature=0\r\nde\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n",
        );
        let (plain, trailers) = plain_body(&headers, body.clone()).unwrap();
        assert_eq!(&plain[..], b"abcde");
        assert_eq!(trailers, [("x-amz-checksum-crc32".to_owned(), "AA==".to_owned())]);
        assert!(plain_body(&headers, body.slice(..10)).is_err());
    }
}
