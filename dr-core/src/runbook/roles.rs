//! The step that the core puts before every promotion: roles are observed, not declared.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::ids::Side;
use crate::resource::{
    Before, Call, Class, Cx, Diff, Effect, NodeState, Observe, Position, Prepared, Reach, Replication, Role,
    Urgency,
};

/// Checks that a store's sides play the roles that the run gives them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckRoles {
    /// Has to be the primary, or silent in an unplanned run.
    pub source: Side,
    /// Has to be a standby of the source's own history.
    pub target: Side,
    /// Codes of hazards that somebody told the run to pass.
    #[serde(default)]
    pub overrides: BTreeSet<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "roles")]
pub enum RolesFound {
    /// The source is the primary, or silent; the target is its standby.
    AsPlanned {
        /// What is known of the source.
        source: String,
        /// Hazards that do not block, or were overridden.
        remarks: Vec<String>,
    },
    /// The target is the primary and the source its standby: there is nothing to do.
    AlreadyDone,
}

impl fmt::Display for RolesFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AsPlanned { source, remarks } => {
                write!(f, "the source is {source}, the target is its standby")?;
                remarks.iter().try_for_each(|remark| write!(f, "; {remark}"))
            }
            Self::AlreadyDone => f.write_str("the target is the primary already and the source follows it"),
        }
    }
}

impl Call for CheckRoles {
    const VERB: &'static str = "check-roles";
    type Outcome = RolesFound;

    fn class(&self) -> Class {
        Class::Read
    }
}

#[derive(Debug)]
pub(super) struct RolesCheck(pub(super) Arc<dyn Observe<Replication>>);

#[async_trait]
impl Effect<CheckRoles> for RolesCheck {
    /// There is nothing to put back: it looks once, in `apply`.
    async fn prepare(&self, _cx: &Cx, _call: &CheckRoles) -> Result<Prepared> {
        Ok(Prepared::would(Diff::default(), Before::nothing()))
    }

    async fn apply(&self, cx: &Cx, call: &CheckRoles, _was: &Prepared) -> Result<RolesFound> {
        let seen = self.0.observe(cx).await?;
        let overrides = call.overrides.union(&cx.overrides).cloned().collect();
        judge(&seen, &CheckRoles { overrides, ..call.clone() }, cx.urgency)
    }
}

/// Pure: what an observation says about the roles.
fn judge(seen: &Replication, call: &CheckRoles, urgency: Urgency) -> Result<RolesFound> {
    let (source, target) = (&call.source, &call.target);
    let writable = seen.writable_sides();
    if writable.len() > 1 {
        let sides: Vec<&str> = writable.iter().map(|side| side.as_str()).collect();
        return Err(Error::refused(format!(
            "TWO WRITABLE SIDES: {} both take writes; fence one by hand before anything else",
            sides.join(" and ")
        )));
    }
    let source_leader = leader(seen, source)?;
    let target_leader = leader(seen, target)?;
    if target_leader.role == Role::Primary {
        return already_done(seen, source, target, source_leader);
    }
    strangers(seen, source)?;
    strangers(seen, target)?;
    match (target_leader.reach, target_leader.role) {
        (Reach::Answers, Role::Standby) => {}
        (reach, role) => {
            return Err(not_ready(format!(
                "the target {target} is not seen to be a standby (its node: {reach}, role {role})"
            )));
        }
    }
    let source_is = match (source_leader.reach, source_leader.role, urgency) {
        (Reach::Answers, Role::Primary, _) => "the primary".to_owned(),
        (_, Role::Standby, _) => {
            return Err(Error::refused(format!(
                "{source} and {target} are both standbys: nobody is the primary"
            )));
        }
        (reach, role, Urgency::Planned) => {
            return Err(not_ready(format!(
                "a planned run needs its source, and {source} is not seen to be the primary (its node: {reach}, role {role}); without it: dr failover"
            )));
        }
        (reach, _, Urgency::Unplanned) => format!("not answering ({reach})"),
    };
    related(source_leader, target_leader)?;
    let remarks = hazards(target, target_leader, call)?;
    Ok(RolesFound::AsPlanned { source: source_is, remarks })
}

fn leader<'a>(seen: &'a Replication, side: &Side) -> Result<&'a NodeState> {
    seen.leader(side).ok_or_else(|| Error::invalid(format!("the store does not know the side {side}")))
}

fn not_ready(message: String) -> Error {
    Error::new(ErrorKind::NotReady, message).not_happened()
}

fn already_done(
    seen: &Replication,
    source: &Side,
    target: &Side,
    source_leader: &NodeState,
) -> Result<RolesFound> {
    let follows = source_leader.role == Role::Standby
        && source_leader.receiving == Some(true)
        && seen.leader(target).is_some_and(|node| {
            node.reach == Reach::Answers && (node.system.is_none() || node.system == source_leader.system)
        });
    if follows {
        return Ok(RolesFound::AlreadyDone);
    }
    Err(Error::refused(format!(
        "{target} is the primary already, but {source} does not follow it ({}, {}): `dr protect` makes it a standby",
        source_leader.reach, source_leader.role
    )))
}

fn strangers(seen: &Replication, side: &Side) -> Result<()> {
    match seen.sides.get(side).map(|state| state.strangers.as_slice()) {
        None | Some([]) => Ok(()),
        Some(strangers) => Err(Error::refused(format!(
            "{side} has nodes that the plan does not know: {}; one of them could promote itself: list them in the plan",
            strangers.join(", ")
        ))),
    }
}

/// Copies of one another share their identity, and the source's history is part of the target's.
fn related(source: &NodeState, target: &NodeState) -> Result<()> {
    if let (Some(of_source), Some(of_target)) = (&source.system, &target.system)
        && of_source != of_target
    {
        return Err(Error::refused(format!(
            "the target is no copy of the source: their system identifiers are {of_target} and {of_source}"
        )));
    }
    let (Some(on_source), Some(on_target)) = (source.timeline, target.timeline) else { return Ok(()) };
    let forks = |of: &NodeState| {
        of.history.iter().map(|switch| (switch.timeline, switch.at.ordinal)).collect::<Vec<_>>()
    };
    let same = on_source == on_target && forks(source) == forks(target);
    // What the source has behind the fork the target will never have.
    let has_no_more =
        |fork: &Position| source.position.as_ref().is_none_or(|end| end.ordinal <= fork.ordinal);
    let ancestor = on_source < on_target
        && target.history.iter().any(|switch| switch.timeline == on_source && has_no_more(&switch.at));
    if same || ancestor {
        return Ok(());
    }
    let fork =
        target.history.iter().zip(&source.history).find(|(of_target, of_source)| of_target != of_source);
    let at = fork.map_or("an unknown position".to_owned(), |(of_target, _)| {
        format!("timeline {} at {}", of_target.timeline, of_target.at)
    });
    Err(Error::refused(format!(
        "the target is on another history than the source (timelines {on_target} and {on_source}, forked at {at})"
    )))
}

fn hazards(target: &Side, node: &NodeState, call: &CheckRoles) -> Result<Vec<String>> {
    let (blocking, remarks): (Vec<_>, Vec<_>) =
        node.hazards.iter().partition(|hazard| hazard.blocks && !call.overrides.contains(&hazard.code));
    if blocking.is_empty() {
        return Ok(remarks.into_iter().map(|hazard| hazard.message.clone()).collect());
    }
    let told: Vec<String> =
        blocking.iter().map(|hazard| format!("{} (--override {})", hazard.message, hazard.code)).collect();
    Err(Error::refused(format!("{target} would not serve well once promoted: {}", told.join("; "))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::resource::{Position, SideState, TimelineSwitch};
    use crate::time::Timestamp;

    fn node(role: Role, timeline: u64, position: u64, forks: &[(u64, u64)]) -> NodeState {
        let at = |ordinal: u64| Position { ordinal, text: ordinal.to_string() };
        let mut node = NodeState::new("db:5432", Reach::Answers);
        node.role = role;
        node.timeline = Some(timeline);
        node.position = Some(at(position));
        node.history = forks
            .iter()
            .map(|(timeline, end)| TimelineSwitch { timeline: *timeline, at: at(*end) })
            .collect();
        node
    }

    #[test]
    fn a_target_that_left_the_source_before_its_end_is_on_another_history() {
        let target = node(Role::Standby, 2, 60, &[(1, 50)]);
        assert!(related(&node(Role::Primary, 1, 100, &[]), &target).is_err());
        assert!(related(&node(Role::Primary, 1, 50, &[]), &target).is_ok());
    }

    #[test]
    fn one_number_with_other_forks_is_another_history_and_none_descends_from_itself() {
        let target = node(Role::Standby, 2, 60, &[(1, 40)]);
        assert!(related(&node(Role::Primary, 2, 60, &[(1, 40)]), &target).is_ok());
        let other = related(&node(Role::Primary, 2, 60, &[(1, 50)]), &target).unwrap_err();
        assert!(other.message().contains("forked at timeline 1 at 40"), "{other}");
        let itself = node(Role::Standby, 2, 60, &[(2, 40)]);
        assert!(related(&node(Role::Primary, 2, 30, &[]), &itself).is_err());
    }

    #[test]
    fn a_target_that_is_the_primary_already_is_done_only_where_it_answers_and_the_source_copies_it() {
        let judged = |reach, system: &str| {
            let (mut target, mut source) = (node(Role::Primary, 2, 60, &[]), node(Role::Standby, 2, 60, &[]));
            (target.reach, target.system) = (reach, Some(system.to_owned()));
            (source.receiving, source.system) = (Some(true), Some("7301".to_owned()));
            let sides = [("east", source), ("west", target)]
                .map(|(side, node)| (Side::new(side), SideState::new(vec![node])));
            let call =
                CheckRoles { source: "east".into(), target: "west".into(), overrides: BTreeSet::new() };
            let seen = Replication::new(Timestamp::from_millis(0), BTreeMap::from(sides));
            judge(&seen, &call, Urgency::Planned)
        };
        assert_eq!(judged(Reach::Answers, "7301").unwrap(), RolesFound::AlreadyDone);
        for (reach, system) in [(Reach::Answers, "7302"), (Reach::Unreachable, "7301")] {
            let error = judged(reach, system).unwrap_err();
            assert!(error.message().contains("does not follow it"), "{reach}, {system}: {error}");
        }
    }

    #[test]
    fn a_target_with_another_identity_is_no_copy_and_one_that_says_none_is_not_judged_by_it() {
        let of = |role, system: Option<&str>| {
            let mut node = node(role, 1, 50, &[]);
            node.system = system.map(str::to_owned);
            node
        };
        let judged = |source, target| related(&of(Role::Primary, source), &of(Role::Standby, target));
        assert!(
            judged(Some("7301"), Some("7302")).unwrap_err().message().contains("is no copy of the source")
        );
        for (source, target) in [(Some("7301"), Some("7301")), (None, Some("7302")), (Some("7301"), None)] {
            assert!(judged(source, target).is_ok(), "{source:?} and {target:?}");
        }
    }
}
