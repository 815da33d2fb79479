//! The same by hand: the `aws` command that a person types when `dr` cannot run.

use dr_core::Region;

use crate::access::AwsConfig;
use crate::service::Service;

/// One `aws` command, written piece by piece.
///
/// Keys that the plan names by reference are left to the shell's environment; a role is named in a comment, for
/// `aws` assumes one only through a profile.
#[derive(Debug, Clone)]
pub(crate) struct Hand(String);

impl Hand {
    /// `aws --profile dr --region eu-central-1 rds promote-read-replica`.
    pub(crate) fn new(config: &AwsConfig, service: Service, region: &Region, action: &str) -> Self {
        let mut command = "aws".to_owned();
        let mut add = |flag: &str, value: &str| command.push_str(&format!(" {flag} {}", quoted(value)));
        if let Some(profile) = &config.profile {
            add("--profile", profile);
        }
        add("--region", region.as_str());
        if let Some(endpoint) = config.endpoint(service) {
            add("--endpoint-url", endpoint);
        }
        command.push_str(&format!(
            " {} {action}",
            if service == Service::S3 { "s3api" } else { service.as_str() }
        ));
        Self(command)
    }

    /// `--db-instance-identifier orders-eu`.
    pub(crate) fn with(mut self, flag: &str, value: impl AsRef<str>) -> Self {
        self.0.push_str(&format!(" --{flag} {}", quoted(value.as_ref())));
        self
    }

    /// A flag that takes no value.
    pub(crate) fn and(mut self, flag: &str) -> Self {
        self.0.push_str(&format!(" --{flag}"));
        self
    }

    /// The line. A role that it has to be run as stands behind it.
    pub(crate) fn line(self, config: &AwsConfig) -> String {
        match &config.role_arn {
            Some(role) => format!("{}   # as {role}", self.0),
            None => self.0,
        }
    }
}

/// A word as a shell takes it.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@=,+%".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_typed_as_it_stands() {
        let config: AwsConfig = serde_json::from_value(serde_json::json!({ "profile": "dr team" })).unwrap();
        let line = Hand::new(&config, Service::S3, &Region::new("eu-central-1"), "put-object")
            .with("bucket", "orders")
            .with("key", "it's")
            .and("no-cli-pager")
            .line(&config);
        assert_eq!(
            line,
            r"aws --profile 'dr team' --region eu-central-1 s3api put-object --bucket orders --key 'it'\''s' --no-cli-pager"
        );
    }
}
