//! The verb `follow`: the side's replica is made anew, and the old instance is kept.
//!
//! RDS cannot take an instance back into replication. The old one is renamed, so that the plan, the callers' configuration
//! and the next fail-over find the new replica under the name they know; it stays cut off until somebody releases it.

use dr_core::resource::{
    Basis, Before, Cx, Diff, Divergence, Effect, Follow, FollowHow, Following, Prepared, Promotion,
};
use dr_core::{Error, ErrorKind, Result, Side, async_trait};

use super::config::SidePlan;
use super::store::Rds;
use crate::database::instance::{Instance, Shape};
use crate::database::status::Condition;
use crate::database::tags::{Tags, plain_name};
use crate::edge_fence::{Edge, Mark, Proven};
use crate::waiting::{Look, Pace, until};

const KEPT_BY: &str = "dr:kept-by";
const KEPT_OF: &str = "dr:kept-of";
const MADE_BY: &str = "dr:made-by";
const LONGEST_NAME: usize = 63;

/// What is to be done next.
#[derive(Debug)]
enum Next {
    /// It follows.
    Done,
    /// Something is under way.
    Wait(String),
    /// The old instance is put aside, under that name.
    PutAside(Box<Instance>),
    /// The replica is made.
    Make,
}

#[async_trait]
impl Effect<Follow> for Rds {
    async fn prepare(&self, cx: &Cx, call: &Follow) -> Result<Prepared> {
        let (plan, writer) = self.pair(cx, call).await?;
        let before = Before::nothing();
        let instance = self.glance(cx, plan).await?;
        let to = format!("replica of {}", writer.name);
        let from = match &instance {
            None => "not there".to_owned(),
            Some(old) if old.source.as_ref() == Some(&writer.arn) => match follows(old) {
                Next::Done => return Ok(Prepared::already(before)),
                Next::Wait(why) => why,
                Next::PutAside(_) | Next::Make => "not there".to_owned(),
            },
            Some(old) => match &old.source {
                Some(other) => format!("replica of {other}"),
                None => format!("an instance of its own, kept as {}", kept_name(cx, plan)),
            },
        };
        Ok(Prepared::would(Diff::one(plan.to_string(), from, to), before))
    }

    async fn apply(&self, cx: &Cx, call: &Follow, was: &Prepared) -> Result<Following> {
        let side = call.side.side()?;
        let (plan, _) = self.pair(cx, call).await.map_err(Error::not_happened)?;
        if was.is_already() {
            return Ok(Following::new(side.clone(), FollowHow::Already));
        }
        until(cx, "follow", Pace::STEADY, async || {
            let (plan, writer) = self.pair(cx, call).await?;
            match self.next(cx, side, plan, &writer).await? {
                Next::Done => Ok(Look::Done(())),
                Next::Wait(why) => Ok(Look::Not(format!("{plan} {why}"))),
                Next::PutAside(old) => {
                    let kept = kept_name(cx, plan);
                    self.put_aside(cx, plan, &old, &kept).await?;
                    Ok(Look::Not(format!("{plan} is being renamed to {kept}")))
                }
                Next::Make => {
                    self.make(cx, plan, &writer).await?;
                    Ok(Look::Not(format!("{plan} is being made")))
                }
            }
        })
        .await?;
        let kept = self.kept(cx, plan).await?;
        let nothing_lost = cx.earlier.all::<Promotion>().iter().any(|promotion| {
            matches!((&promotion.basis, call.of.side()), (Basis::Planned { .. }, Ok(of)) if promotion.side == *of)
        });
        // What the old instance alone has is not known here: it would take a session with it.
        let diverged = kept.is_some() && !nothing_lost;
        let divergence = diverged.then(|| Divergence::new(None, None, None));
        let told = kept.map(|kept| format!("the instance {} in {}, cut off", kept.name, plan.region));
        Ok(Following::new(side.clone(), FollowHow::Reseeded).keeping(told, divergence))
    }
}

impl Rds {
    /// The side and the writer that it shall follow.
    async fn pair(&self, cx: &Cx, call: &Follow) -> Result<(&SidePlan, Instance)> {
        let (side, of) = (call.side.side()?, call.of.side()?);
        if side == of {
            return Err(Error::invalid("a side cannot follow itself"));
        }
        let (plan, of) = (self.side(side)?, self.side(of)?);
        let writer = self.present(cx, of).await?;
        if writer.is_replica() {
            return Err(Error::refused("it is a replica itself, nobody can follow it").on(of.to_string()));
        }
        Ok((plan, writer))
    }

    async fn next(&self, cx: &Cx, side: &Side, plan: &SidePlan, writer: &Instance) -> Result<Next> {
        let Some(instance) = self.instance(cx, plan).await? else {
            return self.ready(writer).map(|()| Next::Make);
        };
        if let Some(source) = &instance.source {
            if *source == writer.arn {
                return Ok(follows(&instance));
            }
            return Err(Error::refused(format!(
                "it is a replica of {source}, which is not the writer: delete it by hand, or make it stand alone"
            ))
            .on(plan.to_string()));
        }
        match instance.status.condition() {
            Condition::Changing => return Ok(Next::Wait(format!("is {}", instance.status))),
            Condition::Broken | Condition::Unknown => {
                return Err(Error::refused(format!(
                    "it is {}: nothing is put aside that cannot be seen well",
                    instance.status
                ))
                .on(plan.to_string()));
            }
            Condition::Serving | Condition::Stopped => {}
        }
        self.ready(writer)?;
        self.is_harmless(cx, side, &instance).await?;
        Ok(Next::PutAside(Box::new(instance)))
    }

    /// Whether the writer can be copied.
    fn ready(&self, writer: &Instance) -> Result<()> {
        let on = |error: Error| error.on(writer.name.clone());
        if writer.retention == Some(0) {
            return Err(on(Error::refused(format!(
                "RDS copies only what keeps automated backups: aws rds modify-db-instance --db-instance-identifier {} \
                 --backup-retention-period 7 --apply-immediately --region {}",
                writer.name, writer.arn.region
            ))));
        }
        if !writer.status.is_available() {
            let message = format!("the writer is {}, and RDS copies only what is available", writer.status);
            return Err(on(Error::new(ErrorKind::NotReady, message)));
        }
        Ok(())
    }

    /// An old writer that could still take writes is not put aside: they would be lost without a word.
    async fn is_harmless(&self, cx: &Cx, side: &Side, instance: &Instance) -> Result<()> {
        let edge = self.edge(side)?;
        if instance.status.condition() == Condition::Stopped {
            return Ok(());
        }
        let refused =
            |why: String| Err(Error::refused(format!("{why}: `fence` it first")).on(edge.side.to_string()));
        match edge.fence_group() {
            None => refused(
                "it may take writes still, and the plan names no security group to cut it off with"
                    .to_owned(),
            ),
            Some(group) => match edge.view(cx, instance.clone()).await?.proves(group) {
                Proven::Fenced { .. } => Ok(()),
                Proven::Open { why } | Proven::Unknown { why } => {
                    refused(format!("it may take writes still ({why})"))
                }
            },
        }
    }

    async fn put_aside(&self, cx: &Cx, plan: &SidePlan, old: &Instance, kept: &str) -> Result<()> {
        let tags = Tags::default().with(KEPT_BY, cx.run.as_str())?.with(KEPT_OF, &plan.instance)?;
        let api = self.api(&plan.region);
        api.tag(cx, &old.arn, &tags).await?;
        api.changes("rds:ModifyDBInstance")
            .ask(cx, || {
                api.client
                    .modify_db_instance()
                    .db_instance_identifier(&plan.instance)
                    .new_db_instance_identifier(kept)
                    .apply_immediately(true)
                    .send()
            })
            .await?;
        Ok(())
    }

    /// The newest of the instances that were put aside here.
    async fn kept(&self, cx: &Cx, plan: &SidePlan) -> Result<Option<Instance>> {
        let api = self.api(&plan.region);
        if let Some(kept) = api.instance(cx, &kept_name(cx, plan)).await? {
            return Ok(Some(kept));
        }
        let all = api.instances(cx, None).await?;
        let kept = all.into_iter().filter(|instance| instance.tags.get(KEPT_OF) == Some(&plan.instance));
        // Their names end in the beginnings of the runs that put them aside.
        Ok(kept.max_by(|one, other| one.name.cmp(&other.name)))
    }

    async fn make(&self, cx: &Cx, plan: &SidePlan, writer: &Instance) -> Result<()> {
        let old = self.kept(cx, plan).await?;
        let shape = old.as_ref().map(|old| old.shape.clone()).unwrap_or_default();
        let groups = groups(plan, old.as_ref())?;
        let wanted = &plan.replica;
        let Shape { class, subnet_group, parameter_group, option_group, kms_key, .. } = &shape;
        let or = |wanted: &Option<String>, old: &Option<String>| wanted.clone().or_else(|| old.clone());
        let tags = Tags::default().with(MADE_BY, cx.run.as_str())?.to_sdk();
        let api = self.api(&plan.region);
        let made = api
            .changes("rds:CreateDBInstanceReadReplica")
            .ask(cx, || {
                api.client
                    .create_db_instance_read_replica()
                    .db_instance_identifier(&plan.instance)
                    .source_db_instance_identifier(writer.arn.to_string())
                    .set_vpc_security_group_ids(Some(groups.clone()))
                    .set_db_instance_class(or(&wanted.class, class))
                    .set_db_subnet_group_name(or(&wanted.subnet_group, subnet_group))
                    .set_db_parameter_group_name(or(&wanted.parameter_group, parameter_group))
                    .set_option_group_name(option_group.clone())
                    .set_kms_key_id(or(&wanted.kms_key, kms_key))
                    .set_port(shape.port)
                    .set_multi_az(shape.multi_az)
                    .set_publicly_accessible(shape.public)
                    .set_storage_type(shape.storage_type.clone())
                    .set_iops(shape.iops)
                    .set_ca_certificate_identifier(shape.ca.clone())
                    .set_enable_iam_database_authentication(shape.iam)
                    .set_deletion_protection(shape.deletion_protection)
                    .set_max_allocated_storage(shape.storage_limit)
                    .set_tags(Some(tags.clone()))
                    .send()
            })
            .await;
        match made {
            // Somebody was quicker, or the reply to our own request was lost: the next look says which.
            Err(error) if error.is("DBInstanceAlreadyExists") => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(()),
        }
    }
}

/// The security groups of a new replica: the plan's, else those that the old instance had before it was cut off.
fn groups(plan: &SidePlan, old: Option<&Instance>) -> Result<Vec<String>> {
    if !plan.replica.security_groups.is_empty() {
        return Ok(plan.replica.security_groups.clone());
    }
    let noted =
        old.and_then(|old| Mark::read(&old.tags).ok().flatten()).map(|mark| mark.groups).unwrap_or_default();
    let attached = old.into_iter().flat_map(|old| &old.groups).map(|group| group.id.clone());
    let groups: Vec<String> = match noted.is_empty() {
        false => noted,
        true => attached.filter(|group| plan.fence.as_ref() != Some(group)).collect(),
    };
    if groups.is_empty() {
        return Err(Error::refused(
            "which security groups a new replica gets is not known: write `replica: { security_groups: [sg-…] }`",
        )
        .on(plan.to_string()));
    }
    Ok(groups)
}

/// Whether a replica of the writer can be called one.
fn follows(instance: &Instance) -> Next {
    match (&instance.replication, instance.status.serves()) {
        (_, false) => Next::Wait(format!("is {}", instance.status)),
        (Some((word, false)), true) => Next::Wait(format!("replicates not well: `{word}`")),
        (Some((_, true)) | None, true) => Next::Done,
    }
}

/// The name under which a run puts the old instance aside.
fn kept_name(cx: &Cx, plan: &SidePlan) -> String {
    let run = plain_name(cx.run.as_str(), 40);
    let stem = plain_name(&plan.instance, LONGEST_NAME - "-kept-".len() - run.len());
    format!("{stem}-kept-{run}")
}
