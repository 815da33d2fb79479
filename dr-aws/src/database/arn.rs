//! ARNs of instances and clusters.

use std::fmt;

use dr_core::Region;

/// `arn:aws:rds:us-east-1:123456789012:db:ecommerce-db`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arn {
    partition: String,
    pub(crate) region: Region,
    account: String,
    /// `db`, `cluster`.
    kind: String,
    pub(crate) name: String,
}

impl Arn {
    /// `None`: it is no ARN of RDS.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(7, ':');
        let (arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account, kind, name) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let rds = arn == "arn" && service == "rds" && !name.is_empty();
        rds.then(|| Self {
            partition: partition.to_owned(),
            region: Region::new(region),
            account: account.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
        })
    }

    /// What an identifier in an answer means, where RDS writes the bare name for what is in the same region.
    pub(crate) fn beside(&self, identifier: &str) -> Self {
        Self::parse(identifier).unwrap_or_else(|| Self { name: identifier.to_owned(), ..self.clone() })
    }

    /// Whether it is that thing there.
    pub(crate) fn is(&self, region: &Region, name: &str) -> bool {
        self.region == *region && self.name == name
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, region, account, kind, name } = self;
        write!(f, "arn:{partition}:rds:{region}:{account}:{kind}:{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_of_the_same_region_and_account() {
        let own = Arn::parse("arn:aws:rds:us-west-2:123456789012:db:orders-dr").unwrap();
        assert_eq!(own.beside("orders").to_string(), "arn:aws:rds:us-west-2:123456789012:db:orders");
        let other = "arn:aws:rds:us-east-1:123456789012:db:orders";
        assert_eq!(own.beside(other).to_string(), other);
        assert!(own.is(&Region::new("us-west-2"), "orders-dr"));
    }

    #[test]
    fn what_is_no_arn_of_rds_is_none() {
        for text in
            ["", "orders", "arn:aws:s3:::bucket", "arn:aws:rds:us-east-1:1:db:", "arn:aws:rds:us-east-1"]
        {
            assert_eq!(Arn::parse(text), None, "{text}");
        }
    }
}
