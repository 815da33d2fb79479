//! Vendor-neutral network backends for `dr`: is a service well as its callers see it, and where are they sent?
//!
//! | kind | what it is | offers |
//! |---|---|---|
//! | `http` | a service behind a URL | the verb `probe`, both seats, a write ledger through the service |
//! | `tcp` | a port | the verb `probe` |
//! | `dns` | a record in a zone that takes signed updates | `Routing`, the verbs `route` and `probe` |
//!
//! Callers resolve names with a cache of their own that holds each answer for exactly its TTL, and no connection pool
//! stands between them and what they see. Nothing here runs in the background: a seat that nobody asks does nothing.
//!
//! It is *not* the place for a vendor's DNS or load balancer (`dr-aws`), nor for what a service is made of
//! (`dr-k8s`, `dr-postgres`). Next door: `dr-core`, whose traits these backends implement.
//!
//! ```
//! use dr_core::Backends;
//! use serde_json::json;
//!
//! let backends = Backends::new()
//!     .with(dr_net::HttpBackend)
//!     .with(dr_net::TcpBackend)
//!     .with(dr_net::DnsBackend);
//! let dns = backends.get("dns").expect("just registered");
//! let entry = dns
//!     .configure(json!({
//!         "zone": "example.test",
//!         "record": "shop.example.test",
//!         "type": "A",
//!         "ttl": "30s",
//!         "values": { "us-east-1": "203.0.113.10", "eu-central-1": "198.51.100.10" },
//!         "servers": ["192.0.2.53", "192.0.2.54"],
//!         "update": {
//!             "server": "192.0.2.53",
//!             "key": { "name": "dr-key", "algorithm": "hmac-sha256", "secret": "${env:DR_TSIG}" },
//!         },
//!     }))
//!     .expect("a configuration that makes sense");
//! assert_eq!(entry.verbs(), ["probe", "route"]);
//! assert_eq!(entry.identities()[0].as_str(), "dns://example.test/shop.example.test/A");
//! ```

mod config;
mod connect;
mod dns;
mod endpoint;
mod error;
mod http;
mod resolver;
mod tcp;
mod wire;

pub use dns::DnsBackend;
pub use http::HttpBackend;
pub use tcp::TcpBackend;
