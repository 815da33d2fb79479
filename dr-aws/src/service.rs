//! The services that are spoken to.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

/// A service of AWS, as plans, policies and the `aws` command name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Service {
    Cloudwatch,
    Eks,
    Rds,
    Route53,
    S3,
    Servicequotas,
    Sts,
}

impl Service {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Cloudwatch => "cloudwatch",
            Self::Eks => "eks",
            Self::Rds => "rds",
            Self::Route53 => "route53",
            Self::S3 => "s3",
            Self::Servicequotas => "servicequotas",
            Self::Sts => "sts",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
