//! Which name servers a caller asks.

use std::net::{IpAddr, SocketAddr};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::endpoint::Endpoint;

/// The name servers to ask instead of the system's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResolverConfig {
    /// Addresses with an optional port: `127.0.0.53:53`. Each is asked in turn until one answers.
    #[schemars(length(min = 1))]
    pub(crate) servers: Vec<Endpoint>,
}

impl ResolverConfig {
    /// What is wrong with it, below `pointer`.
    pub(crate) fn check(&self, pointer: &str) -> Vec<dr_core::resource::ConfigError> {
        let wrong = |index: usize, server: &Endpoint| {
            dr_core::resource::ConfigError::new(
                format!("{pointer}/servers/{index}"),
                format!("`{server}`: a name server is given by its IP address"),
            )
        };
        let mut found: Vec<_> = self
            .servers
            .iter()
            .enumerate()
            .filter(|(_, server)| server.host.parse::<IpAddr>().is_err())
            .map(|(index, server)| wrong(index, server))
            .collect();
        if self.servers.is_empty() {
            found.push(dr_core::resource::ConfigError::new(
                format!("{pointer}/servers"),
                "at least one name server is needed; leave `resolver` out for the system's",
            ));
        }
        found
    }
}

/// Where a resolver looks.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// `/etc/hosts`, then the name servers and search list of `/etc/resolv.conf`, read again for each question that
    /// the cache cannot answer: both small files change while a run is under way.
    System,
    /// These servers and nothing else.
    Servers(Vec<SocketAddr>),
}

impl From<Option<&ResolverConfig>> for Source {
    fn from(config: Option<&ResolverConfig>) -> Self {
        match config {
            None => Self::System,
            Some(config) => Self::Servers(
                config
                    .servers
                    .iter()
                    .filter_map(|server| {
                        Some(SocketAddr::new(server.host.parse().ok()?, server.port.unwrap_or(53)))
                    })
                    .collect(),
            ),
        }
    }
}

/// What `/etc/resolv.conf` says, as far as it matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SystemConf {
    pub(crate) servers: Vec<SocketAddr>,
    pub(crate) search: Vec<String>,
    pub(crate) ndots: usize,
}

impl SystemConf {
    pub(crate) fn load() -> Self {
        Self::parse(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let mut conf = Self { ndots: 1, ..Self::default() };
        for line in text.lines() {
            let line = line.split(['#', ';']).next().unwrap_or_default();
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let server = words.next().and_then(|word| word.split('%').next()?.parse::<IpAddr>().ok());
                    conf.servers.extend(server.map(|server| SocketAddr::new(server, 53)));
                }
                Some("search" | "domain") => conf.search = words.map(str::to_owned).collect(),
                Some("options") => {
                    let ndots =
                        words.filter_map(|word| word.strip_prefix("ndots:")?.parse().ok()).next_back();
                    conf.ndots = ndots.unwrap_or(conf.ndots);
                }
                Some(_) | None => {}
            }
        }
        conf
    }

    /// The names to try for `host`, in order.
    pub(crate) fn candidates(&self, host: &str) -> Vec<String> {
        if host.ends_with('.') {
            return vec![host.to_owned()];
        }
        let searched = self.search.iter().map(|domain| format!("{host}.{domain}"));
        let plain = std::iter::once(host.to_owned());
        if host.matches('.').count() >= self.ndots {
            plain.chain(searched).collect()
        } else {
            searched.chain(plain).collect()
        }
    }
}

/// The addresses that `/etc/hosts` gives a name.
pub(crate) fn hosts_file(host: &str) -> Vec<IpAddr> {
    parse_hosts(&std::fs::read_to_string("/etc/hosts").unwrap_or_default(), host)
}

fn parse_hosts(text: &str, host: &str) -> Vec<IpAddr> {
    let host = host.trim_end_matches('.');
    text.lines()
        .filter_map(|line| {
            let mut words = line.split('#').next()?.split_whitespace();
            let address = words.next()?.parse().ok()?;
            words.any(|name| name.eq_ignore_ascii_case(host)).then_some(address)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolv_conf_gives_servers_search_list_and_dots() {
        let conf = SystemConf::parse(
            "# made by hand\nnameserver 10.0.0.2\nnameserver fe80::1%eth0\nsearch a.test b.test\noptions edns0 ndots:2\n",
        );
        assert_eq!(conf.servers.len(), 2);
        assert_eq!(conf.candidates("shop.x"), ["shop.x.a.test", "shop.x.b.test", "shop.x"]);
        assert_eq!(conf.candidates("shop.x.y"), ["shop.x.y", "shop.x.y.a.test", "shop.x.y.b.test"]);
        assert_eq!(conf.candidates("shop."), ["shop."]);
    }

    #[test]
    fn the_hosts_file_names_addresses() {
        let text = "127.0.0.1 localhost\n10.1.2.3\tshop.test shop # the shop\n::1 localhost\n";
        assert_eq!(parse_hosts(text, "SHOP"), ["10.1.2.3".parse::<IpAddr>().unwrap()]);
        assert_eq!(parse_hosts(text, "localhost").len(), 2);
        assert!(parse_hosts(text, "the").is_empty());
    }
}
