//! How a world is set up.

/// How a world is set up.
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) pace: f64,
    pub(crate) seed: u64,
    pub(crate) account: String,
    pub(crate) route53_rate: Option<f64>,
    pub(crate) list_addresses: bool,
    pub(crate) port: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            pace: 600.0,
            seed: 1,
            account: "123456789012".to_owned(),
            route53_rate: Some(5.0),
            list_addresses: false,
            port: 0,
        }
    }
}

impl Options {
    /// A world in which three documented minutes pass in 300 ms, on a free port.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many times faster than documented things happen: 1 is AWS's own pace. Only durations that AWS documents
    /// are shortened; moments, lags and TTLs are real.
    #[must_use]
    pub fn pace(mut self, pace: f64) -> Self {
        self.pace = pace;
        self
    }

    /// From what names and dice come: equal seeds, equal names.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many Route 53 requests a second an account may make; AWS allows five. `None` allows any number.
    #[must_use]
    pub fn route53_rate(mut self, rate: Option<f64>) -> Self {
        self.route53_rate = rate;
        self
    }

    /// Delegation sets list `127.0.0.1:5353` instead of the names of name servers, for clients that cannot be told
    /// where a name server listens.
    #[must_use]
    pub fn delegation_sets_list_addresses(mut self) -> Self {
        self.list_addresses = true;
        self
    }

    /// The port of the endpoint; 0, the default, is a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }
}
