//! What to do next to an edge. Pure: the same question after a crash, from another machine, has the same answer.

use dr_core::{Error, ErrorKind, Result, Timestamp};

use super::mark::Mark;
use super::view::{EdgeView, Proven};
use crate::database::status::Condition;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Note it on the thing.
    Mark(Mark),
    /// Attach these groups and no others.
    Attach(Vec<String>),
    /// Start these servers anew: it ends every session.
    Restart(Vec<String>),
    /// Take the note off.
    Unmark,
    /// Look again: something is under way.
    Wait(String),
    /// It is so, since then.
    Done(Timestamp),
}

/// Towards a fence.
pub(crate) fn to_fence(view: &EdgeView, fence: &str, run: &str, now: Timestamp) -> Result<Step> {
    let mark = view.mark.clone().map_err(unreadable)?;
    if let Proven::Fenced { since } = view.proves(fence) {
        return Ok(Step::Done(since));
    }
    if let Some(way) = view.bypasses.first() {
        return Err(Error::refused(format!(
            "{way}, which passes by its security groups: turn that off, or fence it through something else"
        )));
    }
    let fenced_only = view.attached().into_iter().eq([fence]);
    let mark = match mark {
        Some(mark) if mark.run == run => mark,
        // Another run's fence, half-way: its note of what was there before is the only one that there is.
        Some(mark) if fenced_only => return Ok(Step::Mark(Mark { run: run.to_owned(), ..mark })),
        // Nobody's, or one that somebody has opened again by hand since.
        Some(_) | None => {
            if !view.is_settled() {
                return Ok(Step::Wait("its security groups are being changed".to_owned()));
            }
            let before = view.attached().into_iter().filter(|group| *group != fence);
            let groups = if fenced_only { Vec::new() } else { before.map(str::to_owned).collect() };
            return Ok(Step::Mark(Mark { run: run.to_owned(), groups, cut: None }));
        }
    };
    if !fenced_only {
        if mark.cut.is_some() {
            // It was closed and is open again: a restart of then proves nothing of those who came in since.
            return Ok(Step::Mark(Mark { cut: None, ..mark }));
        }
        return match view.status.condition() {
            Condition::Serving | Condition::Stopped if view.is_settled() => {
                Ok(Step::Attach(vec![fence.to_owned()]))
            }
            Condition::Serving | Condition::Stopped | Condition::Changing => Ok(Step::Wait(format!(
                "it is {}, its security groups are {}",
                view.status,
                view.told_groups()
            ))),
            Condition::Broken | Condition::Unknown => Err(cannot(view)),
        };
    }
    if !view.is_settled() {
        return Ok(Step::Wait(format!("its security groups are {}", view.told_groups())));
    }
    let newest = view.members.iter().flat_map(|member| &member.restarts).max().copied();
    let Some(cut) = mark.cut else {
        // Not before the newest restart that RDS tells of, should its clock be ahead of ours.
        let cut = newest.map_or(now, |newest| newest.max(now));
        return Ok(Step::Mark(Mark { cut: Some(cut), ..mark }));
    };
    let mut restart = Vec::new();
    for member in &view.members {
        if member.regrouped.iter().any(|at| *at > cut) {
            // It was opened meanwhile and closed again: the cut is the later one.
            return Ok(Step::Mark(Mark { cut: Some(newest.map_or(now, |newest| newest.max(now))), ..mark }));
        }
        match member.status.condition() {
            Condition::Stopped => {}
            Condition::Serving if member.restarts.iter().any(|at| *at > cut) => {}
            Condition::Serving if member.status.is_available() => restart.push(member.name.clone()),
            Condition::Serving | Condition::Changing => {
                return Ok(Step::Wait(format!("{} is {}", member.name, member.status)));
            }
            Condition::Broken | Condition::Unknown => return Err(cannot(view)),
        }
    }
    if restart.is_empty() {
        return Ok(Step::Wait("its events do not tell of the restart yet".to_owned()));
    }
    Ok(Step::Restart(restart))
}

/// Back to what was there before this run: compare and set. `was` is the note that was there before, if there was one.
pub(crate) fn to_before(
    view: &EdgeView,
    fence: &str,
    run: &str,
    groups: &[String],
    was: Option<&Mark>,
    asked: bool,
) -> Result<Step> {
    let conflict = |why: String| Err(Error::new(ErrorKind::Conflict, why).permanent());
    let mark = view.mark.clone().map_err(unreadable)?;
    let as_before = view.has_only(groups.iter().map(String::as_str));
    match mark {
        // Without our note nothing was done: the note comes first.
        None if was.is_none() && (as_before || !view.is_settled()) => settled(view),
        mark if mark.as_ref() == was && as_before => settled(view),
        Some(mark) if mark.run == run => {
            let ours = view.attached().into_iter().eq([fence]);
            if as_before && (asked || mark.cut.is_some() || ours) {
                return Ok(match was {
                    Some(was) => Step::Mark(was.clone()),
                    None => Step::Unmark,
                });
            }
            match view.status.condition() {
                Condition::Changing => return Ok(Step::Wait(format!("it is {}", view.status))),
                Condition::Broken | Condition::Unknown => return Err(cannot(view)),
                Condition::Serving | Condition::Stopped => {}
            }
            if !view.is_settled() {
                return Ok(Step::Wait(format!("its security groups are {}", view.told_groups())));
            }
            // What is as before is set all the same, once: a request of ours may be on its way still.
            if ours || as_before {
                return Ok(Step::Attach(groups.to_vec()));
            }
            conflict(format!("somebody else attached {} since", view.told_groups()))
        }
        Some(mark) => conflict(format!("the run {} fenced it since", mark.run)),
        None => conflict(format!("somebody else attached {} since", view.told_groups())),
    }
}

/// Open again, whoever closed it.
pub(crate) fn to_open(view: &EdgeView, fence: &str) -> Result<Step> {
    let mark = view.mark.clone().map_err(unreadable)?;
    let closed = view.attached().contains(fence);
    let Some(mark) = mark else {
        if closed {
            return Err(Error::refused(format!(
                "{fence} is attached, and which groups were before it is noted nowhere: attach them by hand"
            )));
        }
        return settled(view);
    };
    if !view.is_settled() {
        return Ok(Step::Wait(format!("its security groups are {}", view.told_groups())));
    }
    if !closed {
        return Ok(Step::Unmark);
    }
    match view.status.condition() {
        Condition::Serving | Condition::Stopped if mark.groups.is_empty() => Err(Error::refused(format!(
            "{fence} was attached before it was fenced: which groups belong there is noted nowhere, attach them by hand"
        ))),
        Condition::Serving | Condition::Stopped => Ok(Step::Attach(mark.groups)),
        Condition::Changing => Ok(Step::Wait(format!("it is {}", view.status))),
        Condition::Broken | Condition::Unknown => Err(cannot(view)),
    }
}

/// Done once nothing is under way any more.
fn settled(view: &EdgeView) -> Result<Step> {
    if !view.is_settled() {
        return Ok(Step::Wait(format!("its security groups are {}", view.told_groups())));
    }
    let statuses = std::iter::once(&view.status).chain(view.members.iter().map(|member| &member.status));
    match statuses.into_iter().find(|status| status.condition() == Condition::Changing) {
        Some(status) => Ok(Step::Wait(format!("it is {status}"))),
        None => Ok(Step::Done(Timestamp::from_millis(0))),
    }
}

fn cannot(view: &EdgeView) -> Error {
    Error::new(
        ErrorKind::Refused,
        format!("it is {}: its security groups cannot be changed now", view.status),
    )
}

fn unreadable(why: String) -> Error {
    Error::new(ErrorKind::Unknown, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::status::Status;
    use crate::edge_fence::view::{Group, Member};

    const FENCE: &str = "sg-fence";
    const RUN: &str = "20270115T080000Z-abcdef";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + second * 1_000)
    }

    fn view(groups: &[&str]) -> EdgeView {
        EdgeView {
            status: Status::new("available"),
            groups: groups.iter().map(|id| Group { id: (*id).into(), state: "active".into() }).collect(),
            members: vec![Member {
                name: "db".into(),
                status: Status::new("available"),
                restarts: vec![at(-100)],
                regrouped: Vec::new(),
            }],
            mark: Ok(None),
            bypasses: Vec::new(),
        }
    }

    fn mark(cut: Option<i64>) -> Mark {
        Mark { run: RUN.into(), groups: vec!["sg-app".into()], cut: cut.map(at) }
    }

    fn marked(groups: &[&str], cut: Option<i64>) -> EdgeView {
        EdgeView { mark: Ok(Some(mark(cut))), ..view(groups) }
    }

    #[test]
    fn a_fence_is_noted_then_closed_then_dated_then_emptied() {
        let next = |view: &EdgeView| to_fence(view, FENCE, RUN, at(0)).unwrap();
        assert_eq!(next(&view(&["sg-app"])), Step::Mark(mark(None)));
        assert_eq!(next(&marked(&["sg-app"], None)), Step::Attach(vec![FENCE.into()]));
        assert_eq!(next(&marked(&[FENCE], None)), Step::Mark(mark(Some(0))));
        assert_eq!(next(&marked(&[FENCE], Some(0))), Step::Restart(vec!["db".into()]));
        let mut restarted = marked(&[FENCE], Some(0));
        restarted.members[0].restarts.push(at(9));
        assert_eq!(next(&restarted), Step::Done(at(9)));
    }

    #[test]
    fn a_restart_before_the_groups_were_changed_proves_nothing() {
        let mut early = marked(&[FENCE], Some(10));
        early.members[0].restarts.push(at(9));
        assert!(matches!(early.proves(FENCE), Proven::Open { .. }));
    }

    #[test]
    fn a_group_that_is_not_active_yet_keeps_nobody_out() {
        let mut adding = marked(&[FENCE], Some(0));
        adding.members[0].restarts.push(at(9));
        adding.groups[0].state = "adding".into();
        assert!(matches!(adding.proves(FENCE), Proven::Open { .. }));
        assert!(matches!(to_fence(&adding, FENCE, RUN, at(20)), Ok(Step::Wait(_))));
    }

    #[test]
    fn a_fence_that_was_open_in_between_is_none() {
        let mut reopened = marked(&[FENCE], Some(0));
        reopened.members[0].restarts.push(at(9));
        reopened.members[0].regrouped.push(at(20));
        assert!(matches!(reopened.proves(FENCE), Proven::Open { .. }));
        assert!(
            matches!(to_fence(&reopened, FENCE, RUN, at(30)), Ok(Step::Mark(Mark { cut: Some(cut), .. })) if cut == at(30))
        );
    }

    #[test]
    fn a_fence_that_somebody_opened_is_made_anew_from_its_beginning() {
        let mut opened = marked(&["sg-app"], Some(0));
        opened.members[0].restarts.push(at(9));
        assert_eq!(to_fence(&opened, FENCE, RUN, at(30)).unwrap(), Step::Mark(mark(None)));
    }

    #[test]
    fn every_server_behind_the_edge_has_to_have_started_anew() {
        let mut cluster = marked(&[FENCE], Some(0));
        cluster.members.push(Member { name: "db2".into(), ..cluster.members[0].clone() });
        cluster.members[0].restarts.push(at(9));
        assert_eq!(to_fence(&cluster, FENCE, RUN, at(0)).unwrap(), Step::Restart(vec!["db2".into()]));
        cluster.members[1].restarts.push(at(12));
        assert_eq!(cluster.proves(FENCE), Proven::Fenced { since: at(12) });
    }

    #[test]
    fn a_way_around_the_groups_is_no_fence() {
        let mut around = marked(&[FENCE], Some(0));
        around.members[0].restarts.push(at(9));
        around.bypasses.push("its Data API is on".into());
        assert!(matches!(around.proves(FENCE), Proven::Open { .. }));
        assert!(to_fence(&around, FENCE, RUN, at(0)).is_err());
    }

    #[test]
    fn a_word_that_nobody_knows_proves_nothing() {
        let mut odd = marked(&[FENCE], Some(0));
        odd.members[0].restarts.push(at(9));
        odd.members[0].status = Status::new("levitating");
        assert!(matches!(odd.proves(FENCE), Proven::Unknown { .. }));
    }

    #[test]
    fn another_runs_half_made_fence_is_finished_with_its_note_of_what_was_before() {
        let mut theirs = marked(&[FENCE], None);
        theirs.mark = Ok(Some(Mark { run: "other".into(), ..mark(None) }));
        assert_eq!(to_fence(&theirs, FENCE, RUN, at(0)).unwrap(), Step::Mark(mark(None)));
    }

    #[test]
    fn undo_without_a_note_changes_nothing() {
        let groups = vec!["sg-app".to_owned()];
        assert!(matches!(to_before(&view(&["sg-app"]), FENCE, RUN, &groups, None, false), Ok(Step::Done(_))));
        let theirs = to_before(&view(&["sg-other"]), FENCE, RUN, &groups, None, false);
        assert_eq!(theirs.unwrap_err().kind(), ErrorKind::Conflict);
    }

    #[test]
    fn undo_puts_the_groups_back_and_takes_the_note_off_last() {
        let groups = vec!["sg-app".to_owned()];
        let next = |view: &EdgeView, asked| to_before(view, FENCE, RUN, &groups, None, asked).unwrap();
        assert_eq!(next(&marked(&[FENCE], Some(0)), false), Step::Attach(groups.clone()));
        assert_eq!(next(&marked(&["sg-app"], Some(0)), true), Step::Unmark);
        assert_eq!(
            next(&marked(&["sg-app"], None), false),
            Step::Attach(groups.clone()),
            "one may be on its way"
        );
        let theirs = to_before(&marked(&["sg-other"], Some(0)), FENCE, RUN, &groups, None, false);
        assert_eq!(theirs.unwrap_err().kind(), ErrorKind::Conflict);
    }

    #[test]
    fn what_was_attached_before_is_never_guessed() {
        assert!(to_open(&view(&[FENCE]), FENCE).is_err());
        let unknown =
            EdgeView { mark: Ok(Some(Mark { groups: Vec::new(), ..mark(None) })), ..view(&[FENCE]) };
        assert!(to_open(&unknown, FENCE).is_err());
        assert_eq!(to_open(&marked(&[FENCE], Some(0)), FENCE).unwrap(), Step::Attach(vec!["sg-app".into()]));
        assert_eq!(to_open(&marked(&["sg-app"], Some(0)), FENCE).unwrap(), Step::Unmark);
    }
}
