//! Vendor-neutral network backends for dr: HTTP, TCP and DNS probes, DNS by RFC 2136.
