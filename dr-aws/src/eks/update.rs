//! Changing a node group's sizes, and awaiting that EKS has done it.

use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_eks::types::{NodegroupScalingConfig, Update, UpdateParamType, UpdateStatus, UpdateType};
use dr_core::resource::Cx;
use dr_core::{Error, ErrorKind, Happened, Result};

use super::group::{Group, Seen};
use super::sizes::{Owner, Sizes};
use crate::together::in_doubt;
use crate::waiting::{Look, Pace, until};

/// How many of a group's updates are looked at to find the one in progress.
const UPDATES: usize = 25;

/// What a group's sizes are to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// What a scale wants.
    Wanted(Sizes),
    /// What there was before it.
    Back(Sizes),
}

impl Goal {
    fn is_met(self, seen: &Seen) -> bool {
        match self {
            Self::Wanted(wanted) => seen.sizes.meet(wanted, seen.owner),
            Self::Back(was) => seen.sizes.are_back(was, seen.owner),
        }
    }

    /// What to ask EKS for.
    fn asks(self, seen: &Seen) -> Sizes {
        match self {
            Self::Wanted(wanted) => seen.sizes.towards(wanted, seen.owner),
            Self::Back(was) => seen.sizes.back_to(was, seen.owner),
        }
    }
}

impl Group {
    /// Makes the sizes so, and returns when EKS is at rest, shows them and reports nothing wrong. A repeat joins what an
    /// earlier attempt began.
    pub(super) async fn settle(&self, cx: &Cx, goal: Goal) -> Result<Seen> {
        let touched = AtomicBool::new(false);
        let shown = self.shown();
        let settled = until(cx, &shown, Pace::STEADY, || self.step_towards(cx, goal, &touched)).await;
        settled.map_err(|error| {
            let error = error.on(shown.clone());
            if touched.load(Ordering::Relaxed) { in_doubt(error) } else { error.not_happened() }
        })
    }

    async fn step_towards(&self, cx: &Cx, goal: Goal, touched: &AtomicBool) -> Result<Look<Seen>> {
        let seen = self.look(cx).await?;
        if seen.is_busy() {
            return self.join(cx, goal.asks(&seen)).await;
        }
        if goal.is_met(&seen) {
            seen.can_go_on()?;
            return Ok(match seen.is_settled() {
                true => Look::Done(seen),
                false => Look::Not(seen.workload(&self.called).problems.join("; ")),
            });
        }
        match self.update(cx, goal.asks(&seen)).await {
            Ok(id) => {
                touched.store(true, Ordering::Relaxed);
                self.finished(cx, &id).await?;
            }
            // Somebody's update is in progress: the next look says whose.
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            // It may have been taken on: the next look says.
            Err(error) if error.happened() == Happened::Maybe => {
                touched.store(true, Ordering::Relaxed);
                return Err(error.transient(None));
            }
            Err(error) => return Err(error),
        }
        Ok(Look::Not("EKS does not show the sizes yet".to_owned()))
    }

    /// Waits until nobody is at work on it.
    pub(super) async fn at_rest(&self, cx: &Cx) -> Result<Seen> {
        until(cx, &self.shown(), Pace::STEADY, || self.rests(cx)).await
    }

    async fn rests(&self, cx: &Cx) -> Result<Look<Seen>> {
        let seen = self.look(cx).await?;
        let says = format!("EKS is still at work on it ({})", seen.status);
        Ok(if seen.is_busy() { Look::Not(says) } else { Look::Done(seen) })
    }

    /// Something is being done to it: if that is what is wanted, or cannot be told, it is awaited.
    async fn join(&self, cx: &Cx, wanted: Sizes) -> Result<Look<Seen>> {
        let Some(update) = self.running(cx).await? else {
            return Ok(Look::Not("EKS is still at work on it".to_owned()));
        };
        if update.r#type == Some(UpdateType::ConfigUpdate) && asks_for(&update, wanted) {
            return Ok(Look::Not(format!("update {} is in progress", update.id().unwrap_or("?"))));
        }
        Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "somebody else's {} {} is in progress: wait for it, then resume",
                update.r#type.as_ref().map_or("update", UpdateType::as_str),
                update.id().unwrap_or("?")
            ),
        ))
    }

    async fn update(&self, cx: &Cx, sizes: Sizes) -> Result<String> {
        let eks = self.aws.eks(&self.cluster.region);
        let size = |size: u32| i32::try_from(size).unwrap_or(i32::MAX);
        let scaling = NodegroupScalingConfig::builder()
            .min_size(size(sizes.min))
            .max_size(size(sizes.max))
            .desired_size(size(sizes.desired))
            .build();
        let updating = self
            .changes("eks:UpdateNodegroupConfig")
            .ask(cx, || {
                eks.update_nodegroup_config()
                    .cluster_name(&self.cluster.name)
                    .nodegroup_name(&self.name)
                    .scaling_config(scaling.clone())
                    .send()
            })
            .await?;
        updating
            .update
            .and_then(|update| update.id)
            .ok_or_else(|| Error::new(ErrorKind::Unknown, "EKS took the update on and does not name it"))
    }

    /// Returns when an update is through; its failure ends the waiting at once, in EKS's words.
    async fn finished(&self, cx: &Cx, id: &str) -> Result<()> {
        until(cx, &self.shown(), Pace::STEADY, || self.is_through(cx, id)).await
    }

    async fn is_through(&self, cx: &Cx, id: &str) -> Result<Look<()>> {
        let update = self.describe(cx, id).await?;
        match &update.status {
            Some(UpdateStatus::Successful) => Ok(Look::Done(())),
            Some(UpdateStatus::Failed | UpdateStatus::Cancelled) => {
                Err(Error::new(ErrorKind::Refused, failure(&update)))
            }
            other => {
                let said = other.as_ref().map_or("nothing", UpdateStatus::as_str);
                Ok(Look::Not(format!("update {id} is {said}")))
            }
        }
    }

    async fn describe(&self, cx: &Cx, id: &str) -> Result<Update> {
        let eks = self.aws.eks(&self.cluster.region);
        let described = self
            .reads("eks:DescribeUpdate")
            .ask(cx, || {
                eks.describe_update().name(&self.cluster.name).nodegroup_name(&self.name).update_id(id).send()
            })
            .await?;
        described.update.ok_or_else(|| Error::new(ErrorKind::Unknown, "EKS describes no update"))
    }

    /// The update in progress, if one can be found.
    async fn running(&self, cx: &Cx) -> Result<Option<Update>> {
        let eks = self.aws.eks(&self.cluster.region);
        let listed = self
            .reads("eks:ListUpdates")
            .ask(cx, || eks.list_updates().name(&self.cluster.name).nodegroup_name(&self.name).send())
            .await?;
        for id in listed.update_ids().iter().take(UPDATES) {
            let update = self.describe(cx, id).await?;
            if update.status == Some(UpdateStatus::InProgress) {
                return Ok(Some(update));
            }
        }
        Ok(None)
    }
}

/// Whether an update brings about these sizes: each that it names is as wanted.
fn asks_for(update: &Update, wanted: Sizes) -> bool {
    let named = |kind: &UpdateParamType, is: u32| {
        let mut values = update.params().iter().filter(|param| param.r#type.as_ref() == Some(kind));
        values.all(|param| param.value().and_then(|value| value.parse().ok()) == Some(is))
    };
    named(&UpdateParamType::MinSize, wanted.min)
        && named(&UpdateParamType::MaxSize, wanted.max)
        && named(&UpdateParamType::DesiredSize, wanted.desired)
}

/// What an update failed of, in EKS's words.
fn failure(update: &Update) -> String {
    let errors: Vec<String> = update
        .errors()
        .iter()
        .map(|error| {
            let code = error.error_code.as_ref().map_or("error", aws_sdk_eks::types::ErrorCode::as_str);
            let mut text = format!("{code}: {}", error.error_message.as_deref().unwrap_or("no message"));
            if !error.resource_ids().is_empty() {
                text.push_str(&format!(" ({})", error.resource_ids().join(", ")));
            }
            text
        })
        .collect();
    let status = update.status.as_ref().map_or("Failed", UpdateStatus::as_str);
    match errors.as_slice() {
        [] => format!("update {} is {status}, and EKS does not say why", update.id().unwrap_or("?")),
        errors => errors.join("; "),
    }
}

/// Whether a group that nobody works on is neither as it was nor as this run left it.
pub(super) fn is_somebody_elses(sizes: Sizes, was: Sizes, left: Sizes, owner: Owner) -> bool {
    !sizes.are_back(was, owner) && !sizes.meet(left, owner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_eks::types::{ErrorCode, ErrorDetail, UpdateParam};

    fn param(kind: UpdateParamType, value: &str) -> UpdateParam {
        UpdateParam::builder().r#type(kind).value(value).build()
    }

    #[test]
    fn an_update_is_joined_only_if_it_brings_about_what_is_wanted() {
        let update = Update::builder()
            .params(param(UpdateParamType::MinSize, "9"))
            .params(param(UpdateParamType::DesiredSize, "9"))
            .build();
        assert!(asks_for(&update, Sizes { min: 9, max: 30, desired: 9 }));
        assert!(!asks_for(&update, Sizes { min: 3, max: 30, desired: 9 }));
    }

    #[test]
    fn a_failed_update_speaks_eks_words() {
        let detail = ErrorDetail::builder()
            .error_code(ErrorCode::NodeCreationFailure)
            .error_message("Instances failed to join the kubernetes cluster")
            .resource_ids("i-1")
            .build();
        let failed = Update::builder().id("u-1").status(UpdateStatus::Failed).errors(detail).build();
        assert_eq!(
            failure(&failed),
            "NodeCreationFailure: Instances failed to join the kubernetes cluster (i-1)"
        );
        let silent = Update::builder().id("u-1").status(UpdateStatus::Failed).build();
        assert!(failure(&silent).contains("does not say why"));
    }
}
