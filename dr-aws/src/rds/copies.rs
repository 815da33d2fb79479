//! Snapshots: what there are, and making one.

use std::collections::BTreeMap;

use aws_sdk_rds::types::DbSnapshot;
use dr_core::resource::{BackedUp, Backup, Before, Copies, CopyState, Cx, Diff, Effect, Observe, Prepared};
use dr_core::time::Timestamp;
use dr_core::{Error, ErrorKind, Region, Result, Side, async_trait};
use futures_util::future::join_all;

use super::config::SidePlan;
use super::store::Rds;
use crate::database::api::more;
use crate::database::moment;
use crate::database::reach::{reached, soon};
use crate::database::tags::{Tags, plain_name};
use crate::waiting::{Look, Pace, until};

pub(super) const MADE_BY: &str = "dr:made-by";
const GIB: u64 = 1 << 30;

/// A snapshot, as far as it matters here.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub(super) id: String,
    arn: String,
    of: String,
    state: String,
    progress: Option<i32>,
    pub(super) holds: Option<Timestamp>,
    encrypted: bool,
    size: Option<u64>,
    tags: Tags,
}

impl Snapshot {
    fn read(of: &DbSnapshot) -> Option<Self> {
        // The moment of the data: the last transaction in it, where RDS knows that; of a copy the original's moment.
        let holds = of
            .snapshot_database_time()
            .or(of.original_snapshot_create_time())
            .or(of.snapshot_create_time())
            .and_then(moment);
        Some(Self {
            id: of.db_snapshot_identifier()?.to_owned(),
            arn: of.db_snapshot_arn()?.to_owned(),
            of: of.db_instance_identifier().unwrap_or_default().to_owned(),
            state: of.status().unwrap_or("unknown").to_owned(),
            progress: of.percent_progress(),
            holds,
            encrypted: of.encrypted() == Some(true),
            size: of.allocated_storage().and_then(|gib| u64::try_from(gib).ok()).map(|gib| gib * GIB),
            tags: Tags::read(of.tag_list()),
        })
    }

    pub(super) fn is_available(&self) -> bool {
        self.state == "available"
    }

    fn word(&self) -> String {
        match self.progress.filter(|_| !self.is_available()) {
            Some(percent) => format!("{} {percent} %", self.state),
            None => self.state.clone(),
        }
    }

    fn to_state(&self) -> CopyState {
        CopyState::new(&self.id, &self.of, self.holds)
            .in_state(self.word(), self.is_available())
            .of_size(self.size)
    }

    fn is_by(&self, token: &str) -> bool {
        self.tags.get(MADE_BY) == Some(token)
    }
}

#[async_trait]
impl Observe<Copies> for Rds {
    async fn observe(&self, cx: &Cx) -> Result<Copies> {
        let cx = &cx.within(cx.left().mul_f64(0.9));
        let looks = self.plan.sides.iter().map(|(side, plan)| async move {
            let found = self.snapshots(&soon(cx), plan).await.ok();
            let states = found.map(|found| found.iter().map(Snapshot::to_state).collect::<Vec<_>>());
            (side.clone(), states)
        });
        Ok(Copies::new(cx.now(), join_all(looks).await.into_iter().collect()))
    }
}

impl Rds {
    /// The copies in a side's region of any side's instance, newest first.
    pub(super) async fn snapshots(&self, cx: &Cx, plan: &SidePlan) -> Result<Vec<Snapshot>> {
        let api = self.api(&plan.region);
        let mut names: Vec<&str> = self.plan.sides.values().map(|side| side.instance.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let mut found = Vec::new();
        for name in names {
            let mut marker: Option<String> = None;
            loop {
                let page = api
                    .reads("rds:DescribeDBSnapshots")
                    .ask(cx, || {
                        api.client
                            .describe_db_snapshots()
                            .db_instance_identifier(name)
                            .set_marker(marker.clone())
                            .send()
                    })
                    .await?;
                found.extend(page.db_snapshots().iter().filter_map(Snapshot::read));
                marker = more(page.marker());
                if marker.is_none() {
                    break;
                }
            }
        }
        found.sort_by(|one, other| other.holds.cmp(&one.holds).then(one.id.cmp(&other.id)));
        Ok(found)
    }

    /// One copy by its name.
    pub(super) async fn snapshot(&self, cx: &Cx, region: &Region, id: &str) -> Result<Option<Snapshot>> {
        let api = self.api(region);
        let answer = api
            .reads("rds:DescribeDBSnapshots")
            .ask(cx, || api.client.describe_db_snapshots().db_snapshot_identifier(id).send())
            .await;
        match answer {
            Err(error) if error.is("DBSnapshotNotFound") => Ok(None),
            Err(error) => Err(error.into()),
            Ok(answer) => Ok(answer.db_snapshots().first().and_then(Snapshot::read)),
        }
    }

    async fn glance_snapshot(&self, cx: &Cx, plan: &SidePlan, id: &str) -> Result<Option<Snapshot>> {
        self.snapshot(&soon(cx), &plan.region, id).await.map_err(|error| reached(plan.to_string(), error))
    }

    /// The sides that shall have the copy: its own first.
    fn places(&self, call: &Backup) -> Result<Vec<(Side, &SidePlan)>> {
        let side = call.side.side()?;
        let mut places = vec![(side.clone(), self.side(side)?)];
        if let Some(other) = &call.copy_to {
            let other = other.side()?;
            let plan = self.side(other)?;
            if plan.region == places[0].1.region {
                return Err(Error::invalid(format!(
                    "`{other}` is in the same region, where the copy is already"
                )));
            }
            places.push((other.clone(), plan));
        }
        Ok(places)
    }
}

#[async_trait]
impl Effect<Backup> for Rds {
    async fn prepare(&self, cx: &Cx, call: &Backup) -> Result<Prepared> {
        let (id, token) = (copy_id(cx), made_by(cx));
        let mut diff = Diff::default();
        for (_, plan) in self.places(call)? {
            match self.glance_snapshot(cx, plan, &id).await? {
                Some(copy) if !copy.is_by(&token) => return Err(foreign(&id, plan)),
                Some(copy) if copy.is_available() => {}
                Some(copy) => diff = diff.and(format!("{id} in {}", plan.region), copy.word(), "available"),
                None => diff = diff.and(format!("{id} in {}", plan.region), "not there", "available"),
            }
        }
        let before = Before::nothing();
        Ok(if diff.0.is_empty() { Prepared::already(before) } else { Prepared::would(diff, before) })
    }

    async fn apply(&self, cx: &Cx, call: &Backup, _: &Prepared) -> Result<BackedUp> {
        let side = call.side.side()?;
        let places = self.places(call)?;
        let (id, token) = (copy_id(cx), made_by(cx));
        let (own, others) = places.split_at(1);
        let [(_, own)] = own else { return Err(Error::invalid("there is no side to copy")) };
        self.glance_snapshot(cx, own, &id).await.map_err(Error::not_happened)?;
        let first = self.made(cx, own, &id, &token, None).await?;
        let mut copies = BTreeMap::from([(side.clone(), id.clone())]);
        for (other, plan) in others {
            self.made(cx, plan, &id, &token, Some(&first)).await?;
            copies.insert(other.clone(), id.clone());
        }
        let taken = first.holds.ok_or_else(|| {
            Error::new(ErrorKind::Unknown, "RDS does not say of what moment it is")
                .on(format!("{id} in {}", own.region))
        })?;
        Ok(BackedUp::new(side.clone(), copies, taken))
    }

    /// Deletes what this step made, and nothing else.
    async fn undo(&self, cx: &Cx, call: &Backup, _: &Before) -> Result<()> {
        let (id, token) = (copy_id(cx), made_by(cx));
        for (_, plan) in self.places(call)?.into_iter().rev() {
            self.glance_snapshot(cx, plan, &id).await?;
            until(cx, "delete the copy", Pace::STEADY, async || {
                let Some(copy) = self.snapshot(cx, &plan.region, &id).await? else {
                    return Ok(Look::Done(()));
                };
                if !copy.is_by(&token) {
                    return Err(foreign(&id, plan));
                }
                // RDS deletes only what is complete.
                if copy.is_available() {
                    self.delete_snapshot(cx, plan, &id).await?;
                }
                Ok(Look::Not(format!("{id} in {} is {}", plan.region, copy.word())))
            })
            .await?;
        }
        Ok(())
    }
}

impl Rds {
    /// Makes a copy of the instance, or `of` another region's copy, unless it is there; waits until it can be used.
    async fn made(
        &self,
        cx: &Cx,
        plan: &SidePlan,
        id: &str,
        token: &str,
        of: Option<&Snapshot>,
    ) -> Result<Snapshot> {
        until(cx, "backup", Pace::STEADY, async || match self.snapshot(cx, &plan.region, id).await? {
            Some(copy) if !copy.is_by(token) => Err(foreign(id, plan)),
            Some(copy) if copy.is_available() => Ok(Look::Done(copy)),
            Some(copy) if copy.state == "failed" => {
                Err(Error::refused("RDS says that the copy failed").on(format!("{id} in {}", plan.region)))
            }
            Some(copy) => Ok(Look::Not(format!("{id} in {} is {}", plan.region, copy.word()))),
            None => {
                match of {
                    None => self.take(cx, plan, id, token).await?,
                    Some(of) => self.copy(cx, plan, of, id, token).await?,
                }
                Ok(Look::Not(format!("{id} in {} is asked for", plan.region)))
            }
        })
        .await
    }

    async fn take(&self, cx: &Cx, plan: &SidePlan, id: &str, token: &str) -> Result<()> {
        let api = self.api(&plan.region);
        let tags = Tags::default().with(MADE_BY, token)?.to_sdk();
        let taken = api
            .changes("rds:CreateDBSnapshot")
            .ask(cx, || {
                api.client
                    .create_db_snapshot()
                    .db_instance_identifier(&plan.instance)
                    .db_snapshot_identifier(id)
                    .set_tags(Some(tags.clone()))
                    .send()
            })
            .await;
        match taken {
            Err(error) if error.is("DBSnapshotAlreadyExists") => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(()),
        }
    }

    async fn copy(&self, cx: &Cx, plan: &SidePlan, of: &Snapshot, id: &str, token: &str) -> Result<()> {
        let api = self.api(&plan.region);
        let tags = Tags::default().with(MADE_BY, token)?.to_sdk();
        let key = match of.encrypted {
            false => None,
            true => Some(self.key(cx, plan).await?),
        };
        let copied = api
            .changes("rds:CopyDBSnapshot")
            .ask(cx, || {
                api.client
                    .copy_db_snapshot()
                    .source_db_snapshot_identifier(&of.arn)
                    .target_db_snapshot_identifier(id)
                    .set_kms_key_id(key.clone())
                    .set_tags(Some(tags.clone()))
                    .send()
            })
            .await;
        match copied {
            Err(error) if error.is("DBSnapshotAlreadyExists") => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(()),
        }
    }

    /// The key of a side's region: the plan's, else its instance's.
    async fn key(&self, cx: &Cx, plan: &SidePlan) -> Result<String> {
        let instance = match &plan.replica.kms_key {
            Some(key) => return Ok(key.clone()),
            None => self.instance(cx, plan).await?,
        };
        instance.and_then(|instance| instance.shape.kms_key).ok_or_else(|| {
            Error::refused("which key encrypts copies there is not known: write `replica: { kms_key: … }`")
                .on(plan.to_string())
        })
    }

    async fn delete_snapshot(&self, cx: &Cx, plan: &SidePlan, id: &str) -> Result<()> {
        let api = self.api(&plan.region);
        let deleted = api
            .changes("rds:DeleteDBSnapshot")
            .ask(cx, || api.client.delete_db_snapshot().db_snapshot_identifier(id).send())
            .await;
        match deleted {
            Err(error) if error.is("DBSnapshotNotFound") => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(()),
        }
    }
}

/// The same for every attempt of one step in one run.
fn copy_id(cx: &Cx) -> String {
    format!("dr-{}", plain_name(&cx.token, 200))
}

/// Who made it: the step of the run, as a tag can hold it.
pub(super) fn made_by(cx: &Cx) -> String {
    plain_name(&cx.token, 200)
}

fn foreign(id: &str, plan: &SidePlan) -> Error {
    Error::new(ErrorKind::Conflict, "a copy of that name is there, and this step did not make it")
        .permanent()
        .on(format!("{id} in {}", plan.region))
}
