//! A side's address: `postgres://user@host:port,host:port/database`.

/// The parts of a side's URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SideUrl {
    pub(crate) user: String,
    pub(crate) hosts: Vec<(String, u16)>,
    pub(crate) database: String,
}

impl SideUrl {
    /// Reads it. The error never repeats the text: it may hold a password.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let rest = text
            .strip_prefix("postgres://")
            .or_else(|| text.strip_prefix("postgresql://"))
            .ok_or("expected postgres://user@host:port/database")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = authority
            .rsplit_once('@')
            .ok_or("the user is missing: expected postgres://user@host:port/database")?;
        if user.contains(':') {
            return Err(
                "a password does not belong in a URL: give it as `password: \"${env:NAME}\"`".to_owned()
            );
        }
        if path.contains('?') {
            return Err(
                "parameters in the URL are not supported: use the fields `tls` and `connect_timeout`"
                    .to_owned(),
            );
        }
        let user = decode(user)?;
        if user.is_empty() {
            return Err("the user is missing: expected postgres://user@host:port/database".to_owned());
        }
        let database = if path.is_empty() { user.clone() } else { decode(path)? };
        let hosts = hosts.split(',').map(host).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { user, hosts, database })
    }
}

fn host(text: &str) -> Result<(String, u16), String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or("a `[` has no `]`")?;
            (host, rest.strip_prefix(':'))
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() {
        return Err("a host is empty".to_owned());
    }
    let port = match port {
        None => 5432,
        Some(port) => match port.parse() {
            Ok(port) if port > 0 => port,
            _ => return Err(format!("the port of `{host}` is not a number from 1 to 65535")),
        },
    };
    Ok((host.to_owned(), port))
}

fn decode(text: &str) -> Result<String, String> {
    let wrong = || "a `%` is not followed by two hexadecimal digits".to_owned();
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().ok_or_else(wrong)?, rest.next().ok_or_else(wrong)?];
            let digits = std::str::from_utf8(&digits).map_err(|_| wrong())?;
            bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_hosts_are_several_nodes() {
        let url = SideUrl::parse("postgres://dr@db1.us:6432,db2.us,[::1]:7/orders").unwrap();
        let hosts =
            [("db1.us", 6432), ("db2.us", 5432), ("::1", 7)].map(|(host, port)| (host.to_owned(), port));
        assert_eq!(url, SideUrl { user: "dr".into(), hosts: hosts.to_vec(), database: "orders".into() });
    }

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        let error = SideUrl::parse("postgres://dr:hunter2@db/orders").unwrap_err();
        assert!(!error.contains("hunter2"));
    }
}
