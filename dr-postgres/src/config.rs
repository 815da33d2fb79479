//! The configuration as a plan writes it, read with all its errors and their places.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use dr_core::resource::{ConfigError, SecretRef};
use dr_core::time::parse_duration;
use dr_core::{Region, Side};
use serde_json::{Map, Value};

use crate::url::SideUrl;

/// A configuration that makes sense.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) application: Option<Application>,
    pub(crate) connect_timeout: Duration,
    pub(crate) tls: TlsMode,
    pub(crate) sides: BTreeMap<Side, SideConfig>,
}

/// The role that the application writes as.
#[derive(Debug, Clone)]
pub(crate) struct Application {
    pub(crate) user: String,
    pub(crate) password: Option<SecretRef>,
}

/// How connections are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsMode {
    /// Not at all.
    Disable,
    /// Encrypted; the certificate is not checked.
    Require,
    /// Encrypted; certificate and host name are checked against the system's roots.
    VerifyFull,
}

/// One side.
#[derive(Debug, Clone)]
pub(crate) struct SideConfig {
    pub(crate) region: Region,
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) password: Option<SecretRef>,
    pub(crate) manager: String,
    pub(crate) nodes: Vec<NodeConfig>,
}

/// One server.
#[derive(Debug, Clone)]
pub(crate) struct NodeConfig {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) control: Option<ControlConfig>,
}

/// How a server is controlled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ControlConfig {
    pub(crate) through: Through,
    pub(crate) data: String,
    pub(crate) bin: String,
    pub(crate) log: Option<String>,
    pub(crate) config_file: Option<String>,
}

/// Where its commands run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Through {
    /// On this machine, as `user` when we are root. Default: the owner of the data directory.
    Local { user: Option<String> },
    /// Behind a command: `ssh host`, `kubectl exec -i pod --`.
    Command { prefix: Vec<String>, shell: bool },
}

impl NodeConfig {
    /// `host:port`.
    pub(crate) fn name(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl Config {
    /// Reads it. Pure.
    pub(crate) fn read(value: &Value) -> Result<Self, Vec<ConfigError>> {
        let mut reader = Reader::default();
        let config = reader.config(value);
        match config {
            Some(config) if reader.errors.is_empty() => Ok(config),
            _ => Err(reader.errors),
        }
    }
}

#[derive(Default)]
struct Reader {
    errors: Vec<ConfigError>,
}

impl Reader {
    fn config(&mut self, value: &Value) -> Option<Config> {
        let fields = self.object(value, "", &["kind", "application", "connect_timeout", "tls", "sides"])?;
        let application = fields.get("application").and_then(|value| self.application(value));
        let connect_timeout = match self.text(fields, "", "connect_timeout") {
            None => Duration::from_secs(3),
            Some(text) => match parse_duration(&text) {
                Ok(time) if time >= Duration::from_millis(50) => time,
                Ok(_) => {
                    self.wrong("/connect_timeout", "shorter than 50ms: every node would seem unreachable")
                }
                Err(message) => self.wrong("/connect_timeout", message),
            },
        };
        let mut sides = BTreeMap::new();
        match fields.get("sides") {
            None => self.fault("/sides", "missing: at least two sides, each with its `url`"),
            Some(value) => {
                for (name, value) in self.map(value, "/sides").into_iter().flatten() {
                    let pointer = join("/sides", name);
                    if let Some(side) = self.side(value, &pointer, name) {
                        sides.insert(Side::new(name), side);
                    }
                }
                if sides.len() < 2 && self.errors.is_empty() {
                    self.fault("/sides", "expected at least two sides");
                }
            }
        }
        self.distinct(&sides);
        let local = sides.values().flat_map(|side| &side.nodes).all(NodeConfig::is_loopback);
        let tls = match self.text(fields, "", "tls").as_deref() {
            None if local => TlsMode::Disable,
            None | Some("verify-full") => TlsMode::VerifyFull,
            Some("require") => TlsMode::Require,
            Some("disable") => TlsMode::Disable,
            Some(_) => self.wrong_as("/tls", "expected disable, require or verify-full", TlsMode::VerifyFull),
        };
        Some(Config { application, connect_timeout, tls, sides })
    }

    fn application(&mut self, value: &Value) -> Option<Application> {
        let at = "/application";
        let fields = self.object(value, at, &["user", "password"])?;
        let user = self.required(fields, at, "user");
        let password = self.secret(fields, at);
        Some(Application { user: user?, password })
    }

    fn side(&mut self, value: &Value, at: &str, name: &str) -> Option<SideConfig> {
        let fields = self.object(value, at, &["url", "region", "password", "manager", "control"])?;
        let region = self.text(fields, at, "region").unwrap_or_else(|| name.to_owned());
        let manager = self.text(fields, at, "manager").unwrap_or_else(|| "none".to_owned());
        let password = self.secret(fields, at);
        let url = self.required(fields, at, "url");
        let url = url.and_then(|url| match SideUrl::parse(&url) {
            Ok(url) => Some(url),
            Err(message) => {
                self.fault(&join(at, "url"), message);
                None
            }
        });
        let mut nodes: Vec<NodeConfig> = url
            .iter()
            .flat_map(|url| &url.hosts)
            .map(|(host, port)| NodeConfig { host: host.clone(), port: *port, control: None })
            .collect();
        if let Some(value) = fields.get("control") {
            self.controls(value, &join(at, "control"), &mut nodes);
        }
        let url = url?;
        Some(SideConfig {
            region: region.into(),
            user: url.user,
            database: url.database,
            password,
            manager,
            nodes,
        })
    }

    fn controls(&mut self, value: &Value, at: &str, nodes: &mut [NodeConfig]) {
        let Some(fields) = self.map(value, at) else { return };
        if fields.contains_key("local") || fields.contains_key("command") {
            let control = self.control(value, at);
            match nodes {
                [] => {}
                [node] => node.control = control,
                _ => self.fault(at, "this side has several nodes: give one entry for each `host:port`"),
            }
            return;
        }
        for (name, value) in fields {
            let at = join(at, name);
            let control = self.control(value, &at);
            let known: Vec<String> = nodes.iter().map(|node| format!("`{}`", node.name())).collect();
            match nodes.iter_mut().find(|node| node.name() == *name) {
                Some(node) => node.control = control,
                None if known.is_empty() => {}
                None => {
                    self.fault(&at, format!("no node of that name in `url`; it has {}", known.join(", ")))
                }
            }
        }
    }

    fn control(&mut self, value: &Value, at: &str) -> Option<ControlConfig> {
        let fields = self.object(value, at, &["local", "command"])?;
        match (fields.get("local"), fields.get("command")) {
            (Some(value), None) => {
                let at = join(at, "local");
                let fields = self.object(value, &at, &["data", "bin", "user", "log", "config_file"])?;
                let user = self.text(fields, &at, "user");
                self.paths(fields, &at, Through::Local { user })
            }
            (None, Some(value)) => {
                let at = join(at, "command");
                let fields =
                    self.object(value, &at, &["prefix", "shell", "data", "bin", "log", "config_file"])?;
                let prefix = self.words(fields, &at, "prefix");
                let shell = match fields.get("shell") {
                    None => false,
                    Some(Value::Bool(shell)) => *shell,
                    Some(_) => {
                        self.fault(&join(&at, "shell"), "expected true or false");
                        false
                    }
                };
                self.paths(fields, &at, Through::Command { prefix, shell })
            }
            _ => {
                self.fault(at, "expected either `local` or `command`");
                None
            }
        }
    }

    fn paths(&mut self, fields: &Map<String, Value>, at: &str, through: Through) -> Option<ControlConfig> {
        let data = self.path(fields, at, "data");
        let bin = self.path(fields, at, "bin");
        let log = self.optional_path(fields, at, "log");
        let config_file = self.optional_path(fields, at, "config_file");
        Some(ControlConfig { through, data: data?, bin: bin?, log, config_file })
    }

    fn path(&mut self, fields: &Map<String, Value>, at: &str, key: &str) -> Option<String> {
        self.required(fields, at, key)?;
        self.optional_path(fields, at, key)
    }

    fn optional_path(&mut self, fields: &Map<String, Value>, at: &str, key: &str) -> Option<String> {
        let path = self.text(fields, at, key)?;
        let path = path.trim_end_matches('/');
        if path.starts_with('/') && !path.contains(['\'', '\n']) {
            return Some(path.to_owned());
        }
        self.fault(&join(at, key), "expected an absolute path without quotes, and not the root");
        None
    }

    fn words(&mut self, fields: &Map<String, Value>, at: &str, key: &str) -> Vec<String> {
        let words: Option<Vec<String>> = fields
            .get(key)
            .and_then(Value::as_array)
            .and_then(|words| words.iter().map(|word| word.as_str().map(str::to_owned)).collect());
        match words {
            Some(words) if !words.is_empty() => words,
            _ => {
                self.fault(&join(at, key), "expected a list of words: [\"ssh\", \"db.us.internal\"]");
                Vec::new()
            }
        }
    }

    fn secret(&mut self, fields: &Map<String, Value>, at: &str) -> Option<SecretRef> {
        let text = self.text(fields, at, "password")?;
        SecretRef::new(&text).map_err(|message| self.fault(&join(at, "password"), message)).ok()
    }

    fn distinct(&mut self, sides: &BTreeMap<Side, SideConfig>) {
        let mut seen: BTreeMap<String, &Side> = BTreeMap::new();
        for (side, config) in sides {
            for node in &config.nodes {
                if let Some(other) = seen.insert(node.name(), side) {
                    let at = join(&join("/sides", side.as_str()), "url");
                    self.fault(&at, format!("`{}` is a node of `{other}` already", node.name()));
                }
            }
        }
    }

    fn required(&mut self, fields: &Map<String, Value>, at: &str, key: &str) -> Option<String> {
        if !fields.contains_key(key) {
            self.fault(&join(at, key), "missing");
        }
        self.text(fields, at, key)
    }

    /// A string, or what a person wrote without quotes and meant as one.
    fn text(&mut self, fields: &Map<String, Value>, at: &str, key: &str) -> Option<String> {
        match fields.get(key)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                self.fault(&join(at, key), "expected text");
                None
            }
        }
    }

    fn map<'v>(&mut self, value: &'v Value, at: &str) -> Option<&'v Map<String, Value>> {
        let map = value.as_object();
        if map.is_none() {
            self.fault(at, "expected fields");
        }
        map
    }

    fn object<'v>(&mut self, value: &'v Value, at: &str, known: &[&str]) -> Option<&'v Map<String, Value>> {
        let fields = self.map(value, at)?;
        for key in fields.keys().filter(|key| !known.contains(&key.as_str())) {
            let guess =
                known.iter().min_by_key(|word| distance(word, key)).filter(|word| distance(word, key) <= 2);
            let hint = guess.map_or_else(
                || {
                    format!(
                        "; known are {}",
                        known.iter().filter(|word| **word != "kind").copied().collect::<Vec<_>>().join(", ")
                    )
                },
                |word| format!("; did you mean `{word}`?"),
            );
            self.fault(&join(at, key), format!("unknown field `{key}`{hint}"));
        }
        Some(fields)
    }

    fn fault(&mut self, at: &str, message: impl Into<String>) {
        self.errors.push(ConfigError::new(at, message));
    }

    fn wrong<T: Default>(&mut self, at: &str, message: impl Into<String>) -> T {
        self.wrong_as(at, message, T::default())
    }

    fn wrong_as<T>(&mut self, at: &str, message: impl Into<String>, instead: T) -> T {
        self.fault(at, message);
        instead
    }
}

fn join(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// The edit distance of two short words.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, match_with) in other.iter().enumerate() {
            let cost = diagonal + usize::from(letter != *match_with);
            diagonal = row[column + 1];
            row[column + 1] = cost.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn errors(value: Value) -> Vec<(String, String)> {
        Config::read(&value).unwrap_err().into_iter().map(|error| (error.pointer, error.message)).collect()
    }

    #[test]
    fn every_error_is_named_with_its_place() {
        let errors = errors(json!({
            "conect_timeout": "3s",
            "tls": "maybe",
            "sides": {
                "a/b": { "url": "postgres://dr:secret@db/orders", "password": "secret" },
                "c": { "region": true, "control": { "local": { "data": "relative", "bin": "/bin" } } },
            },
        }));
        let places: Vec<&str> = errors.iter().map(|(pointer, _)| pointer.as_str()).collect();
        for place in [
            "/conect_timeout",
            "/tls",
            "/sides/a~1b/url",
            "/sides/a~1b/password",
            "/sides/c/region",
            "/sides/c/url",
            "/sides/c/control/local/data",
        ] {
            assert!(places.contains(&place), "{place} is not among {places:?}");
        }
        assert!(errors[0].1.contains("did you mean `connect_timeout`?"));
        assert!(!format!("{errors:?}").contains("secret@"));
    }

    #[test]
    fn loopback_alone_needs_no_encryption_and_anything_else_is_verified() {
        let sides = |host: &str| {
            json!({ "sides": {
            "a": { "url": format!("postgres://dr@{host}:5432/x") }, "b": { "url": "postgres://dr@127.0.0.1:5433/x" } } })
        };
        assert_eq!(Config::read(&sides("localhost")).unwrap().tls, TlsMode::Disable);
        assert_eq!(Config::read(&sides("db.example")).unwrap().tls, TlsMode::VerifyFull);
    }

    #[test]
    fn a_control_stands_beside_its_node() {
        let config = Config::read(&json!({ "sides": {
            "a": { "url": "postgres://dr@db1,db2:6000/x", "control": {
                "db2:6000": { "command": { "prefix": ["ssh", "db2"], "shell": true, "data": "/d/", "bin": "/b" } } } },
            "b": { "url": "postgres://dr@db3/x", "region": 7 },
        } }))
        .unwrap();
        let nodes = &config.sides["a"].nodes;
        assert_eq!(nodes[0].control, None);
        assert_eq!(nodes[1].control.as_ref().unwrap().data, "/d");
        assert_eq!(config.sides["b"].region.as_str(), "7");
    }
}
