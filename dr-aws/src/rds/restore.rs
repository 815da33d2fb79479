//! The verb `restore`: an instance beside what is there, from a copy or as it was at a moment.

use dr_core::resource::{Before, Cx, Diff, Effect, Point, Prepared, Restore, Restored};
use dr_core::time::Timestamp;
use dr_core::{Error, ErrorKind, Result, async_trait};

use super::config::SidePlan;
use super::copies::{MADE_BY, made_by};
use super::store::Rds;
use crate::database::instance::Instance;
use crate::database::status::Condition;
use crate::database::tags::{Tags, plain_name};
use crate::database::to_sdk;
use crate::edge_fence::Mark;
use crate::waiting::{Look, Pace, until};

const FROM: &str = "dr:restored-from";
const HOLDS: &str = "dr:restored-holds";
const LONGEST_NAME: usize = 63;

/// From what.
#[derive(Debug, Clone)]
enum From {
    /// A snapshot, and the moment that it holds.
    Copy(String, Option<Timestamp>),
    /// The automated backups of the side's own instance.
    Moment(Timestamp),
}

#[async_trait]
impl Effect<Restore> for Rds {
    async fn prepare(&self, cx: &Cx, call: &Restore) -> Result<Prepared> {
        let plan = self.side(call.side.side()?)?;
        let name = name(cx, plan, call)?;
        let there = self.glance(cx, &plan.with(&name)).await?;
        let before = Before::nothing();
        match there {
            Some(there) if !is_ours(&there, cx) => Err(foreign(&name, plan)),
            Some(there) if there.status.serves() => Ok(Prepared::already(before)),
            Some(there) => {
                Ok(Prepared::would(Diff::one(name, there.status.to_string(), "available"), before))
            }
            None => {
                let from = self.chosen(cx, plan, &call.point).await?;
                Ok(Prepared::would(Diff::one(name, "not there", format!("restored from {from}")), before))
            }
        }
    }

    async fn apply(&self, cx: &Cx, call: &Restore, _: &Prepared) -> Result<Restored> {
        let side = call.side.side()?;
        let plan = self.side(side)?;
        let name = name(cx, plan, call)?;
        let beside = plan.with(&name);
        self.glance(cx, &beside).await.map_err(Error::not_happened)?;
        let restored = until(cx, "restore", Pace::STEADY, async || {
            let Some(there) = self.instance(cx, &beside).await? else {
                let from = self.chosen(cx, plan, &call.point).await?;
                self.begin(cx, plan, &name, &from).await?;
                return Ok(Look::Not(format!("{name} is being restored from {from}")));
            };
            if !is_ours(&there, cx) {
                return Err(foreign(&name, plan));
            }
            match there.status.condition() {
                Condition::Serving => Ok(Look::Done(there)),
                Condition::Changing => Ok(Look::Not(format!("{name} is {}", there.status))),
                Condition::Stopped | Condition::Broken | Condition::Unknown => {
                    Err(Error::refused(format!("it is {}, and cannot be used so", there.status))
                        .on(name.clone()))
                }
            }
        })
        .await?;
        let from = restored.tags.get(FROM).unwrap_or("an unknown copy").to_owned();
        let holds = restored.tags.get(HOLDS).and_then(|text| text.parse().ok());
        Ok(Restored::new(side.clone(), name, from, holds))
    }

    /// Deletes what this step made, and nothing else.
    async fn undo(&self, cx: &Cx, call: &Restore, _: &Before) -> Result<()> {
        let plan = self.side(call.side.side()?)?;
        let name = name(cx, plan, call)?;
        let beside = plan.with(&name);
        self.glance(cx, &beside).await?;
        until(cx, "discard what was restored", Pace::STEADY, async || {
            let Some(there) = self.instance(cx, &beside).await? else { return Ok(Look::Done(())) };
            if !is_ours(&there, cx) {
                return Err(foreign(&name, plan));
            }
            if there.status.as_str() != "creating" && there.status.as_str() != "deleting" {
                self.discard(cx, plan, &name).await?;
            }
            Ok(Look::Not(format!("{name} is {}", there.status)))
        })
        .await
    }
}

impl Rds {
    async fn chosen(&self, cx: &Cx, plan: &SidePlan, point: &Point) -> Result<From> {
        match point {
            Point::At(moment) => Ok(From::Moment(*moment)),
            Point::Copy(id) => match self.snapshot(cx, &plan.region, id).await? {
                Some(copy) if copy.is_available() => Ok(From::Copy(copy.id, copy.holds)),
                Some(copy) => Err(Error::new(ErrorKind::NotReady, "the copy is not available")
                    .on(copy.id)
                    .not_happened()),
                None => Err(Error::new(ErrorKind::NotFound, "there is no such copy")
                    .on(format!("{id} in {}", plan.region))
                    .not_happened()),
            },
            Point::Latest => {
                let newest =
                    self.snapshots(cx, plan).await?.into_iter().find(super::copies::Snapshot::is_available);
                let copy = newest.ok_or_else(|| {
                    Error::new(ErrorKind::NotFound, "there is no copy that can be restored")
                        .on(plan.region.to_string())
                        .not_happened()
                })?;
                Ok(From::Copy(copy.id, copy.holds))
            }
        }
    }

    /// Beside the side's own instance, shaped like it, in its own groups: a new address that no caller knows.
    async fn begin(&self, cx: &Cx, plan: &SidePlan, name: &str, from: &From) -> Result<()> {
        let model = self.instance(cx, plan).await?;
        let shape = model.as_ref().map(|model| model.shape.clone()).unwrap_or_default();
        let groups =
            model.as_ref().map(|model| before_any_fence(plan, model)).filter(|groups| !groups.is_empty());
        let mut tags = Tags::default().with(MADE_BY, made_by(cx))?.with(FROM, from.to_string())?;
        if let From::Copy(_, Some(holds)) | From::Moment(holds) = from {
            tags = tags.with(HOLDS, holds.to_string())?;
        }
        let tags = tags.to_sdk();
        let class = plan.replica.class.clone().or(shape.class);
        let subnets = plan.replica.subnet_group.clone().or(shape.subnet_group);
        let parameters = plan.replica.parameter_group.clone().or(shape.parameter_group);
        let api = self.api(&plan.region);
        let begun = match from {
            From::Copy(copy, _) => api
                .changes("rds:RestoreDBInstanceFromDBSnapshot")
                .ask(cx, || {
                    api.client
                        .restore_db_instance_from_db_snapshot()
                        .db_instance_identifier(name)
                        .db_snapshot_identifier(copy)
                        .set_db_instance_class(class.clone())
                        .set_db_subnet_group_name(subnets.clone())
                        .set_db_parameter_group_name(parameters.clone())
                        .set_vpc_security_group_ids(groups.clone())
                        .set_publicly_accessible(shape.public)
                        .set_tags(Some(tags.clone()))
                        .send()
                })
                .await
                .map(|_| ()),
            From::Moment(moment) => api
                .changes("rds:RestoreDBInstanceToPointInTime")
                .ask(cx, || {
                    api.client
                        .restore_db_instance_to_point_in_time()
                        .source_db_instance_identifier(&plan.instance)
                        .target_db_instance_identifier(name)
                        .restore_time(to_sdk(*moment))
                        .set_db_instance_class(class.clone())
                        .set_db_subnet_group_name(subnets.clone())
                        .set_db_parameter_group_name(parameters.clone())
                        .set_vpc_security_group_ids(groups.clone())
                        .set_publicly_accessible(shape.public)
                        .set_tags(Some(tags.clone()))
                        .send()
                })
                .await
                .map(|_| ()),
        };
        match begun {
            Err(error) if error.is("DBInstanceAlreadyExists") => Ok(()),
            other => Ok(other?),
        }
    }

    async fn discard(&self, cx: &Cx, plan: &SidePlan, name: &str) -> Result<()> {
        let api = self.api(&plan.region);
        let deleted = api
            .changes("rds:DeleteDBInstance")
            .ask(cx, || {
                api.client
                    .delete_db_instance()
                    .db_instance_identifier(name)
                    .skip_final_snapshot(true)
                    .delete_automated_backups(true)
                    .send()
            })
            .await;
        match deleted {
            Err(error) if error.is("DBInstanceNotFound") => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(()),
        }
    }
}

/// What is restored has a name of its own, the same for every attempt of one step in one run.
fn name(cx: &Cx, plan: &SidePlan, call: &Restore) -> Result<String> {
    if call.only.is_some() {
        return Err(Error::unsupported("RDS restores an instance whole: leave out `only`"));
    }
    let name = match &call.into {
        Some(into) => into.to_ascii_lowercase(),
        None => {
            let run = plain_name(cx.run.as_str(), 30);
            let stem = plain_name(&plan.instance, LONGEST_NAME - "-restored-".len() - run.len());
            format!("{stem}-restored-{run}")
        }
    };
    if name == plan.instance || plain_name(&name, LONGEST_NAME) != name {
        return Err(Error::invalid(format!(
            "`{name}` cannot be the name of what is restored: at most 63 letters, digits and hyphens, and not the \
             instance's own"
        )));
    }
    Ok(name)
}

fn before_any_fence(plan: &SidePlan, model: &Instance) -> Vec<String> {
    match Mark::read(&model.tags) {
        Ok(Some(mark)) if !mark.groups.is_empty() => mark.groups,
        _ => model
            .groups
            .iter()
            .map(|group| group.id.clone())
            .filter(|group| plan.fence.as_ref() != Some(group))
            .collect(),
    }
}

fn is_ours(there: &Instance, cx: &Cx) -> bool {
    there.tags.get(MADE_BY) == Some(made_by(cx).as_str())
}

fn foreign(name: &str, plan: &SidePlan) -> Error {
    Error::new(ErrorKind::Conflict, "an instance of that name is there, and this step did not make it")
        .permanent()
        .on(format!("{name} in {}", plan.region))
}

impl SidePlan {
    /// The same place, another instance.
    fn with(&self, instance: &str) -> Self {
        Self { instance: instance.to_owned(), ..self.clone() }
    }
}

impl std::fmt::Display for From {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Copy(id, _) => f.write_str(id),
            Self::Moment(moment) => write!(f, "the automated backups at {moment}"),
        }
    }
}
