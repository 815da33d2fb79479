//! A host and a port as plans write them.

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

/// `ns-1.awsdns-01.com`, `127.0.0.1:5353`, `[::1]:53`. Without a port it is 53.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "String")]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Endpoint {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let expected =
            || format!("`{text}` is not a name server: write ns1.example.com, 127.0.0.1:53 or [::1]:53");
        if text.parse::<IpAddr>().is_ok() {
            return Ok(Self { host: text.to_owned(), port: 53 });
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or_else(expected)?;
                (
                    host,
                    if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or_else(expected)?) },
                )
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = match port {
            Some(port) => port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(expected)?,
            None => 53,
        };
        let bare = host.trim_end_matches('.');
        let a_host = host.parse::<IpAddr>().is_ok()
            || (!bare.is_empty() && !bare.contains([' ', '/', '@', ':']) && super::name(bare).is_ok());
        if a_host { Ok(Self { host: bare.to_owned(), port }) } else { Err(expected()) }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.host.contains(':'), self.port) {
            (_, 53) => f.write_str(&self.host),
            (true, port) => write!(f, "[{}]:{port}", self.host),
            (false, port) => write!(f, "{}:{port}", self.host),
        }
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_server_is_read_and_shown() {
        for (text, shown, port) in [
            ("127.0.0.1:5353", "127.0.0.1:5353", 5353),
            ("[::1]:5353", "[::1]:5353", 5353),
            ("::1", "::1", 53),
            ("ns-1.awsdns-01.com.", "ns-1.awsdns-01.com", 53),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!((endpoint.to_string().as_str(), endpoint.port), (shown, port));
        }
        for text in ["", ":53", "a b", "host:0", "[::1", "http://host"] {
            assert!(Endpoint::parse(text).is_err(), "{text} was taken");
        }
    }
}
