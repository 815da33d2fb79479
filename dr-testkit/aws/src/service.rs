//! Which services there are, and what their actions are called.

use std::fmt;
use std::str::FromStr;

/// A service that the simulator speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Service {
    /// Security Token Service.
    Sts,
    /// Route 53; its control plane is in us-east-1.
    Route53,
    /// RDS and Aurora.
    Rds,
    /// S3.
    S3,
    /// Elastic Kubernetes Service.
    Eks,
    /// Service Quotas.
    ServiceQuotas,
    /// CloudWatch.
    CloudWatch,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 7] =
        [Self::Sts, Self::Route53, Self::Rds, Self::S3, Self::Eks, Self::ServiceQuotas, Self::CloudWatch];

    /// The name in a credential scope.
    pub const fn signing_name(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Route53 => "route53",
            Self::Rds => "rds",
            Self::S3 => "s3",
            Self::Eks => "eks",
            Self::ServiceQuotas => "servicequotas",
            Self::CloudWatch => "monitoring",
        }
    }

    /// The prefix of its actions in an IAM policy.
    pub const fn iam_prefix(self) -> &'static str {
        match self {
            Self::CloudWatch => "cloudwatch",
            Self::Sts | Self::Route53 | Self::Rds | Self::S3 | Self::Eks | Self::ServiceQuotas => {
                self.signing_name()
            }
        }
    }

    /// The permission that an action needs: `rds:PromoteReadReplica`.
    ///
    /// S3's are not called like its operations:
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>.
    pub fn permission(self, action: &str) -> String {
        let name = match (self, action) {
            (Self::S3, "ListBuckets") => "ListAllMyBuckets",
            (Self::S3, "HeadBucket" | "ListObjectsV2" | "ListObjects") => "ListBucket",
            (Self::S3, "ListObjectVersions") => "ListBucketVersions",
            (Self::S3, "HeadObject") => "GetObject",
            (Self::S3, "CopyObject") => "PutObject",
            (Self::S3, "DeleteObjects") => "DeleteObject",
            (Self::S3, "GetBucketReplication") => "GetReplicationConfiguration",
            (Self::S3, "PutBucketReplication" | "DeleteBucketReplication") => "PutReplicationConfiguration",
            (_, other) => other,
        };
        format!("{}:{name}", self.iam_prefix())
    }

    /// Whether an action changes anything.
    pub fn mutates(self, action: &str) -> bool {
        let reads = ["Describe", "Get", "List", "Head", "Assume"];
        !reads.iter().any(|verb| action.starts_with(verb))
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.signing_name())
    }
}

impl FromStr for Service {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|service| service.signing_name() == text || service.iam_prefix() == text)
            .ok_or_else(|| format!("there is no service {text}"))
    }
}
