//! Checksums that come with a body.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use data_encoding::{BASE64, HEXLOWER};
use md5::Md5;
use sha2::{Digest, Sha256};

use crate::wire::{ApiError, Request};

/// The MD5 in hexadecimal: the ETag of what was put in one piece.
pub(super) fn etag(body: &[u8]) -> String {
    format!("\"{}\"", HEXLOWER.encode(&Md5::digest(body)))
}

/// Holds every checksum of a request to its body; answers with those to keep.
pub(super) fn verify(
    request: &Request,
    body: &[u8],
    trailers: &[(String, String)],
) -> Result<Vec<(String, String)>, ApiError> {
    if let Some(said) = request.header("content-md5")
        && said != BASE64.encode(&Md5::digest(body))
    {
        return Err(ApiError::new(
            400,
            "BadDigest",
            "The Content-MD5 you specified did not match what we received.",
        ));
    }
    if let Some(said) = request.header("x-amz-content-sha256")
        && said.len() == 64
        && said != HEXLOWER.encode(&Sha256::digest(body))
    {
        return Err(ApiError::new(
            400,
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        ));
    }
    let mut kept = Vec::new();
    for (name, compute) in ALGORITHMS {
        let header = format!("x-amz-checksum-{name}");
        let trailer = trailers.iter().find(|(key, _)| *key == header).map(|(_, value)| value.as_str());
        let Some(said) = request.header(&header).or(trailer) else { continue };
        let computed = BASE64.encode(&compute(body));
        if said != computed {
            return Err(ApiError::new(
                400,
                "BadDigest",
                format!("The {} you specified did not match the calculated checksum.", name.to_uppercase()),
            ));
        }
        kept.push((header, computed));
    }
    if request.header("x-amz-checksum-sha1").is_some() {
        return Err(ApiError::new(501, "NotImplemented", "the simulator does not compute SHA-1"));
    }
    if kept.is_empty() {
        // Without any, S3 computes one of its own.
        kept.push(("x-amz-checksum-crc64nvme".to_owned(), BASE64.encode(&crc64nvme(body))));
    }
    Ok(kept)
}

type Compute = fn(&[u8]) -> Vec<u8>;

const ALGORITHMS: [(&str, Compute); 4] =
    [("crc32", crc32), ("crc32c", crc32c), ("crc64nvme", crc64nvme), ("sha256", sha256)];

fn sha256(body: &[u8]) -> Vec<u8> {
    Sha256::digest(body).to_vec()
}

fn crc32(body: &[u8]) -> Vec<u8> {
    let sum = reflected(body, 0xedb8_8320, 0xffff_ffff);
    sum.to_be_bytes().get(4..).unwrap_or_default().to_vec()
}

fn crc32c(body: &[u8]) -> Vec<u8> {
    let sum = reflected(body, 0x82f6_3b78, 0xffff_ffff);
    sum.to_be_bytes().get(4..).unwrap_or_default().to_vec()
}

fn crc64nvme(body: &[u8]) -> Vec<u8> {
    reflected(body, 0x9a6c_9329_ac4b_c9b5, u64::MAX).to_be_bytes().to_vec()
}

/// A reflected cyclic redundancy check whose register begins with `ones` and is turned over by it in the end.
fn reflected(body: &[u8], polynomial: u64, ones: u64) -> u64 {
    let mut register = ones;
    for byte in body {
        register ^= u64::from(*byte);
        for _ in 0..8 {
            let low = register & 1;
            register >>= 1;
            if low == 1 {
                register ^= polynomial;
            }
        }
    }
    register ^ ones
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_values_of_the_catalogue_come_out() {
        assert_eq!(crc32(b"123456789"), [0xcb, 0xf4, 0x39, 0x26]);
        assert_eq!(crc32c(b"123456789"), [0xe3, 0x06, 0x92, 0x83]);
        assert_eq!(crc64nvme(b"123456789"), 0xae8b_1486_0a79_9888_u64.to_be_bytes());
        assert_eq!(etag(b""), "\"d41d8cd98f00b204e9800998ecf8427e\"");
    }
}
