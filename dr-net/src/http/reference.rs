//! Credentials in a request: by reference in a header (`Bearer ${env:TOKEN}`), and nowhere else.

use std::collections::BTreeMap;

use dr_core::resource::{Connect, SecretRef};
use dr_core::{Error, Result};
use hyper::header::{HeaderName, HeaderValue};
use url::Url;

/// How to write one.
const BY_REFERENCE: &str = "headers: { authorization: \"Bearer ${env:NAME}\" }";
/// Headers that hold nothing else.
const CREDENTIALS: [&str; 5] = ["authorization", "proxy-authorization", "cookie", "x-api-key", "api-key"];
/// Names, of headers and in queries, that say what stands there.
const TELLING: [&str; 8] =
    ["token", "secret", "password", "passwd", "credential", "signature", "api_key", "apikey"];

/// A header's value, in pieces.
enum Piece {
    Text(String),
    Secret(SecretRef),
}

/// What is wrong with a header as the plan writes it. The message does not repeat the value.
pub(super) fn flaw_in_header(name: &HeaderName, value: &str) -> Option<String> {
    let pieces = match pieces(value) {
        Ok(pieces) => pieces,
        Err(message) => return Some(message),
    };
    let is_literal = !pieces.iter().any(|piece| matches!(piece, Piece::Secret(_)));
    let holds_one = CREDENTIALS.contains(&name.as_str()) || tells(name.as_str());
    (is_literal && holds_one)
        .then(|| format!("a credential is given by reference, never in the plan: {BY_REFERENCE}"))
}

/// What is wrong with a URL: it stands in plans, journals and other people's logs.
pub(super) fn flaw_in_url(text: &str, url: &Url) -> Option<String> {
    if url.password().is_some() || !url.username().is_empty() {
        return Some(format!("a URL must not hold a user or a password: write {BY_REFERENCE}"));
    }
    if text.contains("${") {
        return Some(format!("no reference is read in a URL: write {BY_REFERENCE}"));
    }
    url.query_pairs()
        .any(|(name, value)| !value.is_empty() && (name == "sig" || tells(&name)))
        .then(|| format!("a credential does not belong in a URL: write {BY_REFERENCE}"))
}

fn tells(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TELLING.iter().any(|word| name.contains(word))
}

/// The headers that hold secrets, with them.
pub(super) async fn resolved(
    headers: &BTreeMap<String, String>,
    connect: &Connect<'_>,
) -> Result<Vec<(HeaderName, HeaderValue)>> {
    let mut resolved = Vec::new();
    for (name, value) in headers.iter().filter(|(_, value)| value.contains("${")) {
        let wrong = |what: &str| Error::invalid(format!("the header `{name}` {what}"));
        let mut text = String::new();
        for piece in pieces(value).map_err(Error::invalid)? {
            match piece {
                Piece::Text(plain) => text.push_str(&plain),
                Piece::Secret(reference) => text.push_str(connect.secret(&reference).await?.expose()),
            }
        }
        let mut value =
            HeaderValue::from_str(&text).map_err(|_| wrong("would hold what no HTTP header can"))?;
        value.set_sensitive(true);
        resolved.push((name.parse().map_err(|_| wrong("has no name of one"))?, value));
    }
    Ok(resolved)
}

fn pieces(value: &str) -> Result<Vec<Piece>, String> {
    let (mut pieces, mut rest) = (Vec::new(), value);
    while let Some(at) = rest.find("${") {
        let end = rest[at..].find('}').ok_or("a `${` has no `}`: write ${env:NAME} or ${file:/path}")?;
        pieces.push(Piece::Text(rest[..at].to_owned()));
        pieces.push(Piece::Secret(SecretRef::new(&rest[at..=at + end])?));
        rest = &rest[at + end + 1..];
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &'static str, value: &str) -> Option<String> {
        flaw_in_header(&HeaderName::from_static(name), value)
    }

    #[test]
    fn a_credential_in_a_header_is_taken_by_reference_only() {
        for name in ["authorization", "cookie", "x-api-key", "x-shop-token"] {
            let flaw = header(name, "Bearer canary-1").unwrap();
            assert!(flaw.contains("${env:") && !flaw.contains("canary"), "{flaw}");
            assert_eq!(header(name, "Bearer ${env:SHOP_TOKEN}"), None);
        }
        assert_eq!(header("x-region", "us"), None);
        assert!(header("x-region", "${canary-1}").is_some_and(|flaw| !flaw.contains("canary")));
    }

    #[test]
    fn a_credential_in_a_url_is_refused_and_not_repeated() {
        let flaw = |text: &str| flaw_in_url(text, &Url::parse(text).unwrap());
        for url in [
            "http://canary-1@shop/",
            "http://dr:canary-1@shop/",
            "http://shop/?access_token=canary-1",
            "http://shop/?a=b&sig=canary-1",
            "http://shop/?x=${env:canary-1}",
        ] {
            assert!(flaw(url).is_some_and(|flaw| !flaw.contains("canary")), "{url}");
        }
        assert_eq!(flaw("http://shop/?deep=1"), None);
    }
}
