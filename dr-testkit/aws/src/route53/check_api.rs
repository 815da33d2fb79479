//! The API of health checks. It is control plane, in us-east-1, like that of records.

use super::check::{Check, CheckKind, Config, Health, Seen};
use crate::wire::{Answer, ApiError, Node, Request};
use crate::world::World;

/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateHealthCheck.html>
///
/// The same reference with the same settings answers with the check that is there.
pub(super) fn create(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let xml = request.xml()?;
    let reference = xml.need("CallerReference")?.to_owned();
    let config =
        Config::parse(xml.child("HealthCheckConfig").ok_or_else(|| ApiError::missing("HealthCheckConfig"))?)?;
    children_exist(world, request, &config)?;
    let id = match world.route53(&request.account).checks.values().find(|check| check.reference == reference)
    {
        Some(check) if check.config == config => check.id.clone(),
        Some(_) => {
            return Err(ApiError::new(
                409,
                "HealthCheckAlreadyExists",
                format!(
                    "A health check with the caller reference {reference} already exists with other settings"
                ),
            ));
        }
        None => {
            let id = world.ids.uuid();
            let check = Check { id: id.clone(), reference, version: 1, config, seen: Seen::default() };
            world.route53(&request.account).checks.insert(id.clone(), check);
            world.changed();
            id
        }
    };
    let check = world.route53(&request.account).check(&id)?;
    Ok(Answer::tree("CreateHealthCheckResponse", Node::map().put("HealthCheck", node(check)))
        .status(201)
        .header("location", format!("https://route53.amazonaws.com/2013-04-01/healthcheck/{id}")))
}

/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetHealthCheck.html>
pub(super) fn get(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let check = world.route53(&request.account).check(request.segment(2))?;
    Ok(Answer::tree("GetHealthCheckResponse", Node::map().put("HealthCheck", node(check))))
}

/// Refused when the version is not the current one: what was read has been changed by somebody else since.
///
/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_UpdateHealthCheck.html>
pub(super) fn update(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let xml = request.xml()?;
    let id = request.segment(2).to_owned();
    let check = world.route53(&request.account).check(&id)?.clone();
    if let Some(version) = xml.number::<i64>("HealthCheckVersion")?
        && version != check.version
    {
        return Err(ApiError::new(
            409,
            "HealthCheckVersionMismatch",
            format!(
                "The value of HealthCheckVersion in the request, {version}, doesn't match the value of HealthCheckVersion in the health check, {}.",
                check.version
            ),
        ));
    }
    let mut config = check.config.clone();
    config.update(&xml)?;
    children_exist(world, request, &config)?;
    let route53 = world.route53(&request.account);
    if let Some(check) = route53.checks.get_mut(&id) {
        check.version += 1;
        check.config = config;
        check.seen.due = None;
    }
    world.changed();
    let check = world.route53(&request.account).check(&id)?;
    Ok(Answer::tree("UpdateHealthCheckResponse", Node::map().put("HealthCheck", node(check))))
}

/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_DeleteHealthCheck.html>
///
/// Records that name it keep the name, and count as healthy.
pub(super) fn delete(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let id = request.segment(2).to_owned();
    let route53 = world.route53(&request.account);
    route53.check(&id)?;
    let child = |check: &Check| matches!(&check.config.kind, CheckKind::Calculated { children, .. } if children.contains(&id));
    if route53.checks.values().any(child) {
        return Err(ApiError::new(
            400,
            "HealthCheckInUse",
            "This health check is referenced by a calculated health check.",
        ));
    }
    route53.checks.remove(&id);
    Ok(Answer::tree("DeleteHealthCheckResponse", Node::map()))
}

/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListHealthChecks.html>
pub(super) fn list(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let limit = super::zone_api::max_items(request)?;
    let marker = request.filled("marker").unwrap_or_default().to_owned();
    let checks: Vec<&Check> =
        world.route53(&request.account).checks.values().filter(|check| check.id >= marker).collect();
    let node = Node::map()
        .put("HealthChecks", Node::list("HealthCheck", checks.iter().take(limit).map(|check| node(check))))
        .put("Marker", marker)
        .put("IsTruncated", checks.len() > limit)
        .maybe("NextMarker", checks.get(limit).map(|check| check.id.as_str()))
        .put("MaxItems", limit);
    Ok(Answer::tree("ListHealthChecksResponse", node))
}

/// The regions whose checkers report; all see the same here.
const CHECKERS: [&str; 8] = [
    "us-east-1",
    "us-west-1",
    "us-west-2",
    "eu-west-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "sa-east-1",
];

/// Only endpoints have checkers of their own.
///
/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetHealthCheckStatus.html>
pub(super) fn status(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let check = world.route53(&request.account).check(request.segment(2))?;
    if !matches!(check.config.kind, CheckKind::Endpoint(_)) {
        return Err(ApiError::invalid_input(
            "Invalid parameter : Health check status is not available for this type of health check",
        ));
    }
    let observations = check.seen.last.iter().flat_map(|(at, _, words)| {
        CHECKERS.iter().enumerate().map(move |(index, region)| {
            Node::map()
                .put("Region", *region)
                .put("IPAddress", format!("15.177.{}.1", index + 2))
                .put("StatusReport", Node::map().put("Status", words).put("CheckedTime", *at))
        })
    });
    let node = Node::map().put("HealthCheckObservations", Node::list("HealthCheckObservation", observations));
    Ok(Answer::tree("GetHealthCheckStatusResponse", node))
}

fn children_exist(world: &mut World, request: &Request, config: &Config) -> Result<(), ApiError> {
    let CheckKind::Calculated { children, .. } = &config.kind else { return Ok(()) };
    let route53 = world.route53(&request.account);
    children.iter().try_for_each(|child| {
        route53.check(child).map(|_| ()).map_err(|_| {
            ApiError::invalid_input(format!("Invalid parameter : child health check {child} does not exist"))
        })
    })
}

pub(crate) fn node(check: &Check) -> Node {
    Node::map()
        .put("Id", &check.id)
        .put("CallerReference", &check.reference)
        .put("HealthCheckConfig", check.config.node())
        .put("HealthCheckVersion", check.version)
}

impl World {
    /// What a check says now.
    ///
    /// A disabled check always counts as healthy, inverted or not; who wants a resource left out inverts the check:
    /// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_UpdateHealthCheck.html>, `Disabled`.
    pub(crate) fn health(&self, account: &str, id: &str) -> Health {
        self.health_below(account, id, 16)
    }

    fn health_below(&self, account: &str, id: &str, deep: u32) -> Health {
        let Some(check) = self.route53.get(account).and_then(|route53| route53.checks.get(id)) else {
            // A record whose check is gone counts as healthy.
            return Health::Healthy;
        };
        let Some(deep) = deep.checked_sub(1) else { return Health::Unhealthy };
        if check.config.disabled {
            return Health::Healthy;
        }
        let healthy = match &check.config.kind {
            CheckKind::Endpoint(_) => check.seen.passing.unwrap_or(true),
            CheckKind::Calculated { children, threshold } => {
                let healthy = children
                    .iter()
                    .filter(|child| self.health_below(account, child, deep).is_healthy())
                    .count();
                u32::try_from(healthy).unwrap_or(u32::MAX) >= *threshold
            }
            CheckKind::Alarm { region, name, insufficient } => {
                self.alarm_health(account, region, name, *insufficient)
            }
        };
        Health::of(healthy != check.config.inverted)
    }
}
