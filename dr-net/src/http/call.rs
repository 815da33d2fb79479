//! One HTTP request, ready to be sent any number of times.

use std::collections::BTreeMap;

use bytes::Bytes;
use dr_core::resource::{ConfigError, LedgerRow};
use http_body_util::Full;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Uri};
use url::Url;

use super::reference::{flaw_in_header, flaw_in_url};

/// Something wrong with a request as it was configured.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) message: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Url,
    Method,
    Header(String),
}

impl Flaw {
    /// As an error of the configuration, where URL and method stand below `at`.
    pub(super) fn at(self, at: &str) -> ConfigError {
        let pointer = match self.place {
            Place::Url => format!("{at}/url"),
            Place::Method => format!("{at}/method"),
            Place::Header(name) => format!("/headers/{name}"),
        };
        ConfigError::new(pointer, self.message)
    }
}

/// A request: where to, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HttpCall {
    pub(super) secure: bool,
    pub(super) host: String,
    pub(super) port: u16,
    method: Method,
    path: Uri,
    headers: HeaderMap,
}

impl HttpCall {
    pub(super) fn new(method: &str, url: &str, headers: &BTreeMap<String, String>) -> Result<Self, Flaw> {
        let flaw = |message: String| Flaw { message, place: Place::Url };
        let parsed = Url::parse(url).map_err(|error| flaw(format!("not a URL: {error}")))?;
        let secure = match parsed.scheme() {
            "http" => false,
            "https" => true,
            scheme => return Err(flaw(format!("`{scheme}` is not supported: write http:// or https://"))),
        };
        if let Some(message) = flaw_in_url(url, &parsed) {
            return Err(flaw(message));
        }
        let (Some(host), Some(port)) = (parsed.host_str(), parsed.port_or_known_default()) else {
            return Err(flaw("the URL names no host".to_owned()));
        };
        let path = match parsed.query() {
            Some(query) => format!("{}?{query}", parsed.path()),
            None => parsed.path().to_owned(),
        };
        let authority = match parsed.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let host_header = HeaderValue::from_str(&authority).map_err(|error| flaw(error.to_string()))?;
        Ok(Self {
            secure,
            host: host.to_owned(),
            port,
            method: method.parse().map_err(|_| Flaw {
                message: format!("`{method}` is not an HTTP method"),
                place: Place::Method,
            })?,
            path: path.parse().map_err(|error| flaw(format!("not a URL: {error}")))?,
            headers: all_headers(host_header, headers)?,
        })
    }

    /// With headers that only a connected resource knows in the place of what the plan says.
    pub(super) fn with(mut self, headers: &[(HeaderName, HeaderValue)]) -> Self {
        for (name, value) in headers {
            self.headers.insert(name.clone(), value.clone());
        }
        self
    }

    /// The request as it goes over a connection that is used again, or only once.
    pub(super) fn request(&self, once: bool) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::default());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.path.clone();
        *request.headers_mut() = self.headers.clone();
        if once {
            request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        request
    }
}

fn all_headers(host: HeaderValue, further: &BTreeMap<String, String>) -> Result<HeaderMap, Flaw> {
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, host);
    headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("dr/", env!("CARGO_PKG_VERSION"))));
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    for (name, value) in further {
        let flaw = |message: String| Flaw { message, place: Place::Header(name.clone()) };
        let name: HeaderName =
            name.parse().map_err(|_| flaw(format!("`{name}` is not the name of an HTTP header")))?;
        if [header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH].contains(&name) {
            return Err(flaw(format!("`{name}` is set by dr itself")));
        }
        if let Some(message) = flaw_in_header(&name, value) {
            return Err(flaw(message));
        }
        let value =
            HeaderValue::from_str(value).map_err(|_| flaw("not the value of an HTTP header".to_owned()))?;
        headers.insert(name, value);
    }
    Ok(headers)
}

/// A request with `{book}` and `{row}` in its URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    method: String,
    url: String,
    headers: BTreeMap<String, String>,
    secret: Vec<(HeaderName, HeaderValue)>,
}

impl Template {
    pub(super) fn new(method: &str, url: &str, headers: &BTreeMap<String, String>) -> Result<Self, Flaw> {
        let (method, url) = (method.to_owned(), url.to_owned());
        let template = Self { method, url, headers: headers.clone(), secret: Vec::new() };
        for part in ["{book}", "{row}"] {
            if !template.url.contains(part) {
                let message = format!("the URL needs `{part}`: rows of different runs must not be mixed up");
                return Err(Flaw { message, place: Place::Url });
            }
        }
        template.fill("book", 1)?;
        Ok(template)
    }

    /// As [`HttpCall::with`].
    pub(super) fn with(mut self, headers: &[(HeaderName, HeaderValue)]) -> Self {
        self.secret = headers.to_vec();
        self
    }

    pub(super) fn fill(&self, book: &str, row: LedgerRow) -> Result<HttpCall, Flaw> {
        let book: String = url::form_urlencoded::byte_serialize(book.as_bytes()).collect();
        let url = self.url.replace("{book}", &book.replace('+', "%20")).replace("{row}", &row.to_string());
        Ok(HttpCall::new(&self.method, &url, &self.headers)?.with(&self.secret))
    }
}
