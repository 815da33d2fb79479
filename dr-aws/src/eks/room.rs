//! Whether there is room for more nodes: the account's quota of vCPUs beside what is in use and what a scale adds.
//!
//! The quota is Service Quotas' word. What is in use is CloudWatch's, under the metric that Service Quotas names for
//! it: AWS publishes it every five minutes or so, hence its age stands in the message. What is added is read from the
//! types' names. What cannot be learnt blocks as `quota-unknown`: unknown is not room.

use std::collections::BTreeMap;
use std::time::Duration;

use dr_core::resource::{Cx, Hazard, Room, Scale};
use dr_core::time::show_duration;
use dr_core::{Error, Region, Result, async_trait};

use super::group::{Group, Seen};
use super::nodes::Nodes;
use super::sizes::{Ceiling, Sizes};
use super::vcpu::{VcpuQuota, quota, vcpus};
use crate::asking::Op;
use crate::error::AwsError;
use crate::metric::{Metric, newest};

/// How far back a sample of what is in use is looked for.
const USED_WITHIN: Duration = Duration::from_secs(3 * 3_600);
const USED_PERIOD: Duration = Duration::from_secs(300);

/// What more nodes need of one quota.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Need {
    vcpus: u64,
    groups: Vec<String>,
}

#[async_trait]
impl Room for Nodes {
    async fn room(&self, cx: &Cx, call: &Scale) -> Result<Vec<Hazard>> {
        let side = call.side.side()?;
        let seen = self.look(cx, side).await?;
        let mut hazards: Vec<Hazard> = Vec::new();
        let mut fitting = Vec::new();
        for (group, seen) in seen {
            hazards.extend(state(&group, &seen));
            fitting.push((group, seen));
        }
        let wanted = match self.wanted(cx, side, &fitting, &call.replicas).await {
            Ok(wanted) => wanted,
            Err(error) if error.kind() == dr_core::ErrorKind::Refused => {
                hazards.push(ceiling(&fitting, &error));
                return Ok(hazards);
            }
            Err(error) => return Err(error),
        };
        let (needs, unknown) = needs(&fitting, &wanted);
        hazards.extend(unknown);
        let region = fitting.first().map(|(group, _)| group.cluster.region.clone());
        if let Some(region) = region {
            for (quota, need) in needs {
                hazards.extend(self.fits(cx, &region, quota, &need).await);
            }
        }
        Ok(hazards)
    }
}

/// What a group's own state has to say.
fn state(group: &Group, seen: &Seen) -> Option<Hazard> {
    if seen.is_settled() {
        return None;
    }
    let problems = seen.workload(&group.called).problems.join("; ");
    Some(Hazard {
        code: "node-group-unwell".to_owned(),
        message: format!("{}: {problems}", group.shown()),
        // Nobody else may be at work on it when the run comes; an issue may be gone by then.
        blocks: !seen.is_busy() && seen.can_go_on().is_err(),
    })
}

/// More nodes are wanted than a fixed maximum allows.
fn ceiling(groups: &[(Group, Seen)], error: &Error) -> Hazard {
    let fixed = groups.iter().any(|(group, _)| group.cluster.ceiling != Ceiling::Raise);
    let code = if fixed { "node-group-max" } else { "node-group-sizes" };
    Hazard { code: code.to_owned(), message: error.to_string(), blocks: true }
}

/// What each quota has to give, and what cannot be reckoned.
fn needs(
    groups: &[(Group, Seen)],
    wanted: &BTreeMap<String, Sizes>,
) -> (BTreeMap<VcpuQuota, Need>, Vec<Hazard>) {
    let (mut needs, mut unknown) = (BTreeMap::<VcpuQuota, Need>::new(), Vec::new());
    for (group, seen) in groups {
        let desired = wanted.get(&group.called).map_or(0, |sizes| sizes.desired);
        let more = u64::from(desired.saturating_sub(seen.sizes.desired));
        if more == 0 {
            continue;
        }
        match counted(seen) {
            Ok((quota, each)) => {
                let need = needs.entry(quota).or_default();
                need.vcpus += more * u64::from(each);
                need.groups.push(format!("{more} more nodes of {}", group.shown()));
            }
            Err(why) => unknown.push(not_known(format!("{more} more nodes of {}: {why}", group.shown()))),
        }
    }
    (needs, unknown)
}

/// Which quota counts a group's nodes, and the most that one of them takes of it.
fn counted(seen: &Seen) -> Result<(VcpuQuota, u32), String> {
    let market = seen.market.ok_or("EKS does not say how its nodes are paid for")?;
    let mut most: Option<(VcpuQuota, u32)> = None;
    for name in &seen.types {
        let quota = quota(name, market).ok_or_else(|| format!("no quota is known for {name}"))?;
        let each =
            vcpus(name).ok_or_else(|| format!("the name {name} does not say how many vCPUs it has"))?;
        most = match most {
            Some((other, _)) if other != quota => {
                return Err("its types count against several quotas".to_owned());
            }
            Some((_, before)) => Some((quota, each.max(before))),
            None => Some((quota, each)),
        };
    }
    most.ok_or_else(|| "its launch template names the instance type, which EKS does not tell".to_owned())
}

fn not_known(what: String) -> Hazard {
    Hazard {
        code: "quota-unknown".to_owned(),
        message: format!("whether the quota allows it is not known ({what})"),
        blocks: true,
    }
}

/// A quota as it applies.
struct Limit {
    vcpus: f64,
    usage: Metric,
}

impl Nodes {
    /// Whether a quota has that much left.
    async fn fits(&self, cx: &Cx, region: &Region, quota: VcpuQuota, need: &Need) -> Option<Hazard> {
        let what = need.groups.join(", ");
        let limit = match self.limit(cx, region, quota).await {
            Ok(Some(limit)) => limit,
            Ok(None) => {
                return Some(not_known(format!("{what}: Service Quotas gives {} no value", quota.code)));
            }
            Err(error) => return Some(not_known(format!("{what}: {}", Error::from(error)))),
        };
        let used = match newest(cx, &self.aws, region, &limit.usage, USED_WITHIN).await {
            Ok(Some(used)) => used,
            Ok(None) => {
                let text = format!(
                    "{what}: CloudWatch has no sample of how many of the {} vCPUs of {} are in use in {region}",
                    limit.vcpus, quota.code
                );
                return Some(not_known(text));
            }
            Err(error) => return Some(not_known(format!("{what}: {}", Error::from(error)))),
        };
        #[expect(clippy::cast_precision_loss, reason = "a region has no 2^52 vCPUs")]
        let after = used.most + need.vcpus as f64;
        let age = show_duration(cx.now().since(used.begun));
        (after > limit.vcpus).then(|| Hazard {
            code: "quota".to_owned(),
            message: format!(
                "{what} need {} vCPUs; {} of {} ({} in {region}) are in use, as of {age} ago: raise the quota \
                 (aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {})",
                need.vcpus, used.most, limit.vcpus, quota.code, quota.code
            ),
            blocks: true,
        })
    }

    /// The quota as it applies, else AWS's default for it.
    async fn limit(&self, cx: &Cx, region: &Region, quota: VcpuQuota) -> Result<Option<Limit>, AwsError> {
        let quotas = self.aws.servicequotas(region);
        let applied = Op::reads("servicequotas:GetServiceQuota")
            .at(region)
            .ask(cx, || quotas.get_service_quota().service_code("ec2").quota_code(quota.code).send())
            .await;
        let found = match applied {
            Ok(applied) => applied.quota,
            Err(error) if error.is_not_found() => {
                Op::reads("servicequotas:GetAWSDefaultServiceQuota")
                    .at(region)
                    .ask(cx, || {
                        quotas
                            .get_aws_default_service_quota()
                            .service_code("ec2")
                            .quota_code(quota.code)
                            .send()
                    })
                    .await?
                    .quota
            }
            Err(error) => return Err(error),
        };
        Ok(found.and_then(|found| {
            let vcpus = found.value.filter(|value| value.is_finite())?;
            let named = found.usage_metric.and_then(|metric| {
                Some(Metric {
                    namespace: metric.metric_namespace?,
                    name: metric.metric_name?,
                    dimensions: metric.metric_dimensions?.into_iter().collect(),
                    period: USED_PERIOD,
                })
            });
            Some(Limit { vcpus, usage: named.unwrap_or_else(|| usage(quota)) })
        }))
    }
}

/// Where AWS publishes how many of a quota's vCPUs run:
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Service-Quota-Integration.html>.
fn usage(quota: VcpuQuota) -> Metric {
    let dimensions = [("Type", "Resource"), ("Resource", "vCPU"), ("Service", "EC2"), ("Class", quota.class)];
    Metric {
        namespace: "AWS/Usage".to_owned(),
        name: "ResourceCount".to_owned(),
        dimensions: dimensions.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        period: USED_PERIOD,
    }
}
