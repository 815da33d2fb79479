//! Health checks through the API.

use std::sync::Arc;

use aws_sdk_route53::Client;
use aws_sdk_route53::types::{HealthCheck, HealthCheckType};
use dr_core::resource::Cx;

use super::pace::Pace;
use crate::asking::Op;
use crate::error::AwsError;

/// The account's health checks.
#[derive(Debug, Clone)]
pub(crate) struct Checks {
    pub(crate) client: Client,
    pub(crate) pace: Arc<Pace>,
}

impl Checks {
    /// A check's settings and version.
    pub(crate) async fn get(&self, cx: &Cx, id: &str) -> Result<Option<HealthCheck>, AwsError> {
        let found = Op::reads("route53:GetHealthCheck")
            .ask(cx, || async {
                self.pace.turn().await;
                self.client.get_health_check().health_check_id(id).send().await
            })
            .await?;
        Ok(found.health_check)
    }

    /// What a check says of what it watches, before it is inverted; `None` where its checkers have said nothing, or
    /// none are told of (only checks of endpoints tell).
    ///
    /// Route 53 takes an endpoint for healthy while more than 18 % of the checkers do:
    /// <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html>.
    pub(crate) async fn sees(&self, cx: &Cx, id: &str) -> Result<Option<bool>, AwsError> {
        let found = Op::reads("route53:GetHealthCheckStatus")
            .ask(cx, || async {
                self.pace.turn().await;
                self.client.get_health_check_status().health_check_id(id).send().await
            })
            .await?;
        let said: Vec<bool> = found
            .health_check_observations()
            .iter()
            .filter_map(|seen| seen.status_report()?.status())
            .map(|status| status.starts_with("Success"))
            .collect();
        let good = said.iter().filter(|good| **good).count();
        Ok((!said.is_empty()).then_some(good * 100 > said.len() * 18))
    }

    /// Whether a check counts as healthy now; `None` if that cannot be told.
    pub(crate) async fn healthy(&self, cx: &Cx, id: &str) -> Result<Option<bool>, AwsError> {
        let Some(config) = self.get(cx, id).await?.and_then(|check| check.health_check_config) else {
            return Ok(None);
        };
        // AWS takes a disabled check for healthy.
        if config.disabled == Some(true) {
            return Ok(Some(true));
        }
        if matches!(config.r#type(), HealthCheckType::Calculated | HealthCheckType::CloudwatchMetric) {
            return Ok(None);
        }
        Ok(self.sees(cx, id).await?.map(|sees| sees != config.inverted.unwrap_or(false)))
    }
}
