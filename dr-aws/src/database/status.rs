//! The state of an instance or a cluster, in RDS's own word.

use std::fmt;

/// What RDS calls the state of an instance or a cluster: `available`, `modifying`.
///
/// The words: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html> and
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/accessing-monitoring.html>.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status(String);

/// What a word means to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// The database serves.
    Serving,
    /// Something is being done to it, which ends by itself.
    Changing,
    /// It is stopped: nothing runs, and it starts with what is attached to it.
    Stopped,
    /// It does not serve, and will not by itself.
    Broken,
    /// RDS said a word that we do not know.
    Unknown,
}

impl Status {
    pub(crate) fn new(word: impl Into<String>) -> Self {
        Self(word.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The only state in which RDS takes most requests.
    pub(crate) fn is_available(&self) -> bool {
        self.0 == "available"
    }

    pub(crate) fn condition(&self) -> Condition {
        match self.0.as_str() {
            "available"
            | "backing-up"
            | "configuring-enhanced-monitoring"
            | "configuring-iam-database-auth"
            | "configuring-log-exports"
            | "configuring-activity-stream"
            | "configuring-associated-roles"
            | "storage-config-upgrade"
            | "storage-initialization"
            | "storage-optimization"
            | "update-iam-db-auth" => Condition::Serving,
            "creating"
            | "deleting"
            | "failing-over"
            | "maintenance"
            | "migrating"
            | "modifying"
            | "moving-to-vpc"
            | "converting-to-vpc"
            | "promoting"
            | "rebooting"
            | "renaming"
            | "starting"
            | "stopping"
            | "switching-over"
            | "upgrading"
            | "resetting-master-credentials"
            | "backtracking"
            | "preparing-data-migration"
            | "delete-precheck" => Condition::Changing,
            "stopped" => Condition::Stopped,
            "failed"
            | "storage-full"
            | "restore-error"
            | "inaccessible-encryption-credentials"
            | "inaccessible-encryption-credentials-recoverable"
            | "insufficient-capacity"
            | "cloning-failed"
            | "migration-failed" => Condition::Broken,
            word if word.starts_with("incompatible-") => Condition::Broken,
            _ => Condition::Unknown,
        }
    }

    /// Whether the database serves.
    pub(crate) fn serves(&self) -> bool {
        self.condition() == Condition::Serving
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_nobody_knows_serves_nobody() {
        assert_eq!(Status::new("quantum-entangling").condition(), Condition::Unknown);
        assert!(!Status::new("").serves());
        assert_eq!(Status::new("incompatible-network").condition(), Condition::Broken);
    }

    #[test]
    fn a_backup_does_not_keep_anybody_from_being_served() {
        assert!(Status::new("backing-up").serves());
        assert!(!Status::new("backing-up").is_available());
    }
}
