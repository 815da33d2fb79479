//! A pod's life: where it stands, and what comes next. Pure, so that it can be read and tested on its own.

use std::time::Duration;

use tokio::time::Instant;

use super::behaviour::{Behaviour, Start, Stop};
use super::pod::{Restart, Seen};

/// How long a container lives that is to crash, and how long a failed pull is told before its pause is.
pub(crate) const BRIEFLY: Duration = Duration::from_millis(100);

/// Where a pod stands, as we have told the server.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stage {
    /// No node has been found for it yet; `told` if it knows why.
    Unbound { told: bool },
    /// It has a node.
    Bound,
    /// Its image could not be pulled.
    PullFailed { tries: u32, at: Instant },
    /// The next pull comes later.
    PullPaused { tries: u32, until: Instant },
    /// It runs.
    Running { restarts: u32, since: Instant, told: bool },
    /// It runs and is ready.
    Ready { restarts: u32 },
    /// Its container has ended, and starts again at `until`.
    Crashed { restarts: u32, until: Instant },
    /// It has ended for good.
    Over,
    /// It is to be gone, and we have said that it is.
    Gone,
}

/// What to tell the server.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Word {
    /// It is bound to a node, if there is room.
    Bind,
    /// Nothing has room for it, whatever the nodes say.
    Unschedulable,
    ErrImagePull,
    ImagePullBackOff {
        pause: Duration,
    },
    Running {
        restarts: u32,
    },
    Ready {
        restarts: u32,
    },
    /// Its readiness probe fails.
    Unready {
        restarts: u32,
    },
    /// Its container ended with an error for the first time.
    Terminated {
        restarts: u32,
    },
    CrashLoopBackOff {
        restarts: u32,
        pause: Duration,
    },
    Succeeded {
        restarts: u32,
    },
    Failed {
        restarts: u32,
    },
    /// It is gone.
    Remove,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Next {
    Nothing,
    /// Look again then.
    At(Instant),
    /// Tell that, and it stands there.
    Tell(Word, Stage),
}

impl Stage {
    /// Where a pod stands that was first seen as the server has it.
    pub(crate) fn of(pod: &Seen, now: Instant) -> Self {
        match (&pod.node, pod.phase.as_str()) {
            (None, _) => Self::Unbound { told: false },
            (Some(_), "Succeeded" | "Failed") => Self::Over,
            (Some(_), "Running") if pod.ready => Self::Ready { restarts: pod.restarts },
            (Some(_), "Running") => Self::Running { restarts: pod.restarts, since: now, told: false },
            (Some(_), _) => Self::Bound,
        }
    }
}

/// What comes next for a pod. `ending_since` is when it was first seen to be ending.
pub(crate) fn next(
    pod: &Seen,
    stage: &Stage,
    how: &Behaviour,
    backoff: (Duration, Duration),
    ending_since: Instant,
    now: Instant,
) -> Next {
    if let Some(grace) = pod.ending {
        return end(stage, how.stop, grace, ending_since, now);
    }
    let runs = |restarts, told| Stage::Running { restarts, since: now, told };
    match (stage, how.start) {
        (Stage::Over | Stage::Gone, _) => Next::Nothing,

        (Stage::Unbound { told: true }, Start::Unschedulable) => Next::Nothing,
        (Stage::Unbound { told: false }, Start::Unschedulable) => {
            Next::Tell(Word::Unschedulable, Stage::Unbound { told: true })
        }
        (Stage::Unbound { .. }, _) => Next::Tell(Word::Bind, Stage::Bound),

        (Stage::Bound, Start::ImagePull) => pull(0, now),
        (Stage::PullFailed { tries, at }, Start::ImagePull) => {
            let told = *at + BRIEFLY;
            let pause = pause(backoff, *tries);
            let paused = Stage::PullPaused { tries: *tries, until: now + pause };
            when(told, now, Next::Tell(Word::ImagePullBackOff { pause }, paused))
        }
        (Stage::PullPaused { tries, until }, Start::ImagePull) => when(*until, now, pull(*tries + 1, now)),

        (Stage::Bound, Start::Ready | Start::Unschedulable)
            if how.ready_after.is_zero() && pod.restart == Restart::Always =>
        {
            Next::Tell(Word::Ready { restarts: 0 }, Stage::Ready { restarts: 0 })
        }
        (Stage::Bound, _) => Next::Tell(Word::Running { restarts: 0 }, runs(0, false)),
        // The image is there after all.
        (Stage::PullFailed { .. }, _) => Next::Tell(Word::Running { restarts: 0 }, runs(0, false)),
        (Stage::PullPaused { until, .. }, _) => {
            when(*until, now, Next::Tell(Word::Running { restarts: 0 }, runs(0, false)))
        }

        (Stage::Running { restarts, since, .. }, Start::CrashLoop) => {
            when(*since + BRIEFLY, now, crash(pod.restart, *restarts, backoff, now))
        }
        (Stage::Ready { restarts }, Start::CrashLoop) => crash(pod.restart, *restarts, backoff, now),
        (Stage::Crashed { restarts, until }, _) => {
            let restarts = restarts + 1;
            when(*until, now, Next::Tell(Word::Running { restarts }, runs(restarts, false)))
        }

        (Stage::Running { restarts, since, told: false }, Start::NeverReady) => {
            let told = Stage::Running { restarts: *restarts, since: *since, told: true };
            when(*since + how.ready_after, now, Next::Tell(Word::Unready { restarts: *restarts }, told))
        }
        (Stage::Running { told: true, .. }, Start::NeverReady) => Next::Nothing,
        (Stage::Ready { restarts }, Start::NeverReady) => {
            Next::Tell(Word::Unready { restarts: *restarts }, runs(*restarts, true))
        }

        // What was pulled, or placed, stays so.
        (Stage::Running { restarts, since, .. }, Start::Ready | Start::ImagePull | Start::Unschedulable) => {
            let restarts = *restarts;
            let done = match pod.restart {
                Restart::Always => Next::Tell(Word::Ready { restarts }, Stage::Ready { restarts }),
                Restart::OnFailure | Restart::Never => Next::Tell(Word::Succeeded { restarts }, Stage::Over),
            };
            when(*since + how.ready_after, now, done)
        }
        (Stage::Ready { .. }, Start::Ready | Start::ImagePull | Start::Unschedulable) => Next::Nothing,
    }
}

fn end(stage: &Stage, stop: Stop, grace: Duration, since: Instant, now: Instant) -> Next {
    if *stage == Stage::Gone {
        return Next::Nothing;
    }
    let remove = Next::Tell(Word::Remove, Stage::Gone);
    match stop {
        Stop::Prompt => remove,
        Stop::Slow => when(since + grace, now, remove),
        Stop::After(time) => when(since + time.min(grace), now, remove),
        Stop::Stuck => Next::Nothing,
    }
}

fn pull(tries: u32, now: Instant) -> Next {
    Next::Tell(Word::ErrImagePull, Stage::PullFailed { tries, at: now })
}

/// The first time it is started again at once, then after ever longer pauses.
fn crash(restart: Restart, restarts: u32, backoff: (Duration, Duration), now: Instant) -> Next {
    if restart == Restart::Never {
        return Next::Tell(Word::Failed { restarts }, Stage::Over);
    }
    if restarts == 0 {
        return Next::Tell(Word::Terminated { restarts }, Stage::Crashed { restarts, until: now });
    }
    let pause = pause(backoff, restarts - 1);
    Next::Tell(Word::CrashLoopBackOff { restarts, pause }, Stage::Crashed { restarts, until: now + pause })
}

fn pause((first, longest): (Duration, Duration), times: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times)).min(longest)
}

fn when(due: Instant, now: Instant, then: Next) -> Next {
    if due <= now { then } else { Next::At(due) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BACKOFF: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(300));

    fn pod(restart: &str, ending: bool) -> Seen {
        let mut pod = json!({
            "metadata": { "name": "p", "namespace": "n", "uid": "u" },
            "spec": { "restartPolicy": restart, "nodeName": "a", "containers": [{ "name": "c" }] },
        });
        if ending {
            pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            pod["metadata"]["deletionGracePeriodSeconds"] = json!(30);
        }
        Seen::of(serde_json::from_value(pod).unwrap()).unwrap()
    }

    /// The words that are told from that stage on, with the clock set to each next time that matters.
    fn words(pod: &Seen, mut stage: Stage, how: &Behaviour, count: usize) -> (Vec<Word>, Duration) {
        let begun = Instant::now();
        let (mut now, mut told) = (begun, Vec::new());
        while told.len() < count {
            match next(pod, &stage, how, BACKOFF, begun, now) {
                Next::Nothing => break,
                Next::At(due) => now = due,
                Next::Tell(word, then) => {
                    told.push(word);
                    stage = then;
                }
            }
        }
        (told, now - begun)
    }

    #[test]
    fn a_crash_loop_starts_again_at_once_and_then_after_ever_longer_pauses() {
        let how = Behaviour::new().start(Start::CrashLoop);
        let (told, _) = words(&pod("Always", false), Stage::Bound, &how, 7);
        let seconds = Duration::from_secs;
        let expected = [
            Word::Running { restarts: 0 },
            Word::Terminated { restarts: 0 },
            Word::Running { restarts: 1 },
            Word::CrashLoopBackOff { restarts: 1, pause: seconds(10) },
            Word::Running { restarts: 2 },
            Word::CrashLoopBackOff { restarts: 2, pause: seconds(20) },
            Word::Running { restarts: 3 },
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_crash_without_a_second_start_is_a_failure() {
        let how = Behaviour::new().start(Start::CrashLoop);
        let (told, _) = words(&pod("Never", false), Stage::Bound, &how, 9);
        assert_eq!(told, [Word::Running { restarts: 0 }, Word::Failed { restarts: 0 }]);
    }

    #[test]
    fn a_failed_pull_is_tried_again_after_its_pause() {
        let how = Behaviour::new().start(Start::ImagePull);
        let (told, took) = words(&pod("Always", false), Stage::Bound, &how, 4);
        let paused = |seconds| Word::ImagePullBackOff { pause: Duration::from_secs(seconds) };
        assert_eq!(told, [Word::ErrImagePull, paused(10), Word::ErrImagePull, paused(20)]);
        assert_eq!(took, Duration::from_secs(10) + 2 * BRIEFLY);
    }

    #[test]
    fn an_ending_takes_no_longer_than_its_grace_period_unless_it_is_stuck() {
        let ready = Stage::Ready { restarts: 0 };
        let took = |stop| words(&pod("Always", true), ready.clone(), &Behaviour::new().stop(stop), 9);
        let removed = |after| (vec![Word::Remove], Duration::from_secs(after));
        assert_eq!(took(Stop::Prompt), removed(0));
        assert_eq!(took(Stop::After(Duration::from_secs(5))), removed(5));
        assert_eq!(took(Stop::After(Duration::from_secs(99))), removed(30));
        assert_eq!(took(Stop::Slow), removed(30));
        assert_eq!(took(Stop::Stuck), (vec![], Duration::ZERO));
    }
}
