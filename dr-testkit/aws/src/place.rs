//! Where things are, and their ARNs.

use crate::wire::ApiError;

/// An account's share of a region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) account: String,
    pub(crate) region: String,
}

impl Place {
    pub(crate) fn new(account: &str, region: &str) -> Self {
        Self { account: account.to_owned(), region: region.to_owned() }
    }

    /// The ARN of something here.
    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.account)
    }
}

/// A parsed ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arn {
    pub(crate) service: String,
    pub(crate) place: Place,
    pub(crate) resource: String,
}

impl Arn {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let (arn, partition) = (parts.next()?, parts.next()?);
        if arn != "arn" || partition != "aws" {
            return None;
        }
        Some(Self {
            service: parts.next()?.to_owned(),
            place: {
                let region = parts.next()?;
                Place::new(parts.next()?, region)
            },
            resource: parts.next()?.to_owned(),
        })
    }

    /// The place and name of a resource of one kind (`db:orders`).
    pub(crate) fn of_kind(text: &str, kind: &str) -> Result<(Place, String), ApiError> {
        Self::parse(text)
            .and_then(|arn| {
                let name = arn.resource.strip_prefix(kind)?.strip_prefix(':')?.to_owned();
                Some((arn.place, name))
            })
            .ok_or_else(|| ApiError::invalid(format!("Invalid ARN: {text}")))
    }
}
