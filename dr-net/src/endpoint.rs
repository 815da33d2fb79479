//! A host and a port as plans write them.

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// `db.us.internal:5432`, `127.0.0.1`, `[::1]:53`. A port that is left out is the kind's usual one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "String")]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl Endpoint {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let expected = || format!("`{text}` is not an address: write host:port, 127.0.0.1:53 or [::1]:53");
        if text.parse::<IpAddr>().is_ok() {
            return Ok(Self { host: text.to_owned(), port: None });
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or_else(expected)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| expected())?;
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
            Some(port) => Some(port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(expected)?),
            None => None,
        };
        let a_host = host.parse::<IpAddr>().is_ok()
            || (crate::wire::name(host).is_ok() && !host.is_empty() && !host.contains([' ', '/', '@', ':']));
        if a_host { Ok(Self { host: host.to_owned(), port }) } else { Err(expected()) }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let brackets = self.host.contains(':') && self.port.is_some();
        match (brackets, self.port) {
            (true, Some(port)) => write!(f, "[{}]:{port}", self.host),
            (false, Some(port)) => write!(f, "{}:{port}", self.host),
            (_, None) => f.write_str(&self.host),
        }
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_with_and_without_its_port() {
        for (text, host, port) in [
            ("127.0.0.1:5353", "127.0.0.1", Some(5353)),
            ("127.0.0.1", "127.0.0.1", None),
            ("::1", "::1", None),
            ("[::1]:53", "::1", Some(53)),
            ("ns1.example.test:53", "ns1.example.test", Some(53)),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!((endpoint.host.as_str(), endpoint.port), (host, port));
            assert_eq!(endpoint.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", ":53", "a b:1", "host:0", "host:99999", "[::1", "http://host:1", "user@host:1"] {
            assert!(Endpoint::parse(text).is_err(), "{text} was taken");
        }
    }
}
