//! The addresses of one sandbox: `127.<n>.0.0/16`, held by nobody else.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use dr_core::{Error, ErrorKind, Result};
use rand::RngExt;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

/// The port on `127.<n>.0.1` that whoever holds the subnet listens on.
const CLAIM: u16 = 4794;

/// The `n` of a sandbox's addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Subnet(u8);

/// The two regions by their place in the subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    First,
    Second,
}

impl Place {
    fn third(self) -> u8 {
        match self {
            Self::First => 1,
            Self::Second => 2,
        }
    }
}

impl Subnet {
    /// Takes a free one. It is held as long as the listener lives, in whichever process.
    pub(crate) fn claim() -> Result<(Self, TcpListener)> {
        let mut candidates: Vec<u8> = (16..=250).filter(|n| *n != 53).collect();
        candidates.shuffle(&mut rand::rng());
        candidates
            .into_iter()
            .find_map(|n| Some((Self(n), TcpListener::bind((Ipv4Addr::new(127, n, 0, 1), CLAIM)).ok()?)))
            .ok_or_else(|| {
                Error::new(ErrorKind::Conflict, "every loopback subnet from 127.16 to 127.250 is taken")
                    .not_happened()
            })
    }

    /// An address outside both regions.
    pub(crate) fn outside(self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.0, 0, last)
    }

    /// An address in a region.
    pub(crate) fn inside(self, place: Place, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.0, place.third(), last)
    }

    /// All its addresses, as a firewall writes them.
    pub(crate) fn all(self) -> String {
        format!("127.{}.0.0/16", self.0)
    }

    /// A region's addresses, as a firewall writes them.
    pub(crate) fn region(self, place: Place) -> String {
        format!("127.{}.{}.0/24", self.0, place.third())
    }
}

/// A port that is free on every one of these addresses: outside the range that the kernel gives to callers, so that
/// none of them takes it before it is used.
pub(crate) fn free_port(addresses: &[Ipv4Addr], taken: &[u16]) -> Result<u16> {
    let mut rng = rand::rng();
    (0..200)
        .map(|_| rng.random_range(20_000..30_000_u16))
        .filter(|port| !taken.contains(port))
        .find(|port| {
            addresses.iter().all(|address| {
                TcpListener::bind(SocketAddr::new(IpAddr::V4(*address), *port)).is_ok()
                    && std::net::UdpSocket::bind((*address, *port)).is_ok()
            })
        })
        .ok_or_else(|| Error::new(ErrorKind::Conflict, "no free port between 20000 and 30000").not_happened())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_claims_never_share_a_subnet() {
        let (first, _held) = Subnet::claim().unwrap();
        let (second, _too) = Subnet::claim().unwrap();
        assert_ne!(first, second);
    }
}
