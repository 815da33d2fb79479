//! Names and ports that nobody else has.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// A number that nobody can guess.
pub(crate) fn number() -> u64 {
    RandomState::new().hash_one(())
}

/// Five letters and digits, as Kubernetes puts them behind generated names.
pub(crate) fn suffix() -> String {
    const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut rest = number();
    (0..5)
        .map(|_| {
            let letter = LETTERS[(rest % 27) as usize];
            rest /= 27;
            char::from(letter)
        })
        .collect()
}

/// A loopback port that is free now, held until it is dropped.
///
/// It lies outside the range from which the system takes ports for outgoing connections: else one of them could take it
/// while a server that is to come back on it is down.
pub(crate) fn port() -> io::Result<TcpListener> {
    const FROM: u64 = 10_000;
    const TO: u64 = 32_000;
    let (low, high) = outgoing();
    let mut last = None;
    for _ in 0..200 {
        let port = (FROM + number() % (TO - FROM)) as u16;
        if (low..=high).contains(&port) {
            continue;
        }
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(held) => return Ok(held),
            Err(error) => last = Some(error),
        }
    }
    // The system's range may cover all of ours: then any free port has to do.
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| last.unwrap_or(error))
}

fn outgoing() -> (u16, u16) {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ends = text.split_whitespace().filter_map(|end| end.parse().ok());
    (ends.next().unwrap_or(32_768), ends.next().unwrap_or(60_999))
}
