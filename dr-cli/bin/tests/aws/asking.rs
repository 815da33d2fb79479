//! AWS's APIs by hand: what a world needs and no handle of the simulator puts there.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);
const DAY: &str = "20261125";

/// One call, signed as far as the simulator looks. Answers with the body of a 2xx.
#[track_caller]
pub(crate) fn ask(endpoint: &str, (service, region): (&str, &str), request: &str, body: &str) -> String {
    let address = endpoint.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let kind = if body.starts_with('<') { "application/xml" } else { "application/x-www-form-urlencoded" };
    let signature = "0".repeat(64);
    let head = format!(
        "{request} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\
         X-Amz-Date: {DAY}T120000Z\r\nX-Amz-Content-Sha256: UNSIGNED-PAYLOAD\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=AKIATESTTESTTESTTEST/{DAY}/{region}/{service}/aws4_request, \
         SignedHeaders=host, Signature={signature}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (status, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(status.starts_with("HTTP/1.1 2"), "{request}: {answer}");
    body.to_owned()
}

/// What stands between the first of these tags.
#[track_caller]
pub(crate) fn within(xml: &str, tag: &str) -> String {
    let (_, rest) = xml.split_once(&format!("<{tag}>")).unwrap_or_else(|| panic!("no {tag} in {xml}"));
    rest.split_once(&format!("</{tag}>")).unwrap().0.to_owned()
}
