//! How pods fare.

use std::collections::BTreeMap;
use std::time::Duration;

/// Labels on a pod that decide how it fares, above what its namespace says.
pub(crate) const START: &str = "dr-kubelet/start";
pub(crate) const STOP: &str = "dr-kubelet/stop";
pub(crate) const READY_AFTER: &str = "dr-kubelet/ready-after-ms";

/// What becomes of a pod that is to run. Each is a label as well: `dr-kubelet/start: crash-loop` in a pod template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Start {
    /// `ready`: it runs and is ready after its time. A pod of a Job runs for that time, then it has succeeded.
    #[default]
    Ready,
    /// `image-pull`: its image is not there: ErrImagePull, ImagePullBackOff, again and again.
    ImagePull,
    /// `crash-loop`: its first container ends with exit code 1 soon after each start: CrashLoopBackOff, and it is never
    /// ready. A pod that is not to be started again has failed.
    CrashLoop,
    /// `unschedulable`: it is told that no node has enough cpu for it, and is not bound. Real want of room needs no such
    /// word: requests are counted.
    Unschedulable,
    /// `never-ready`: it runs, and its readiness probe fails.
    NeverReady,
}

impl Start {
    /// The label that says so.
    pub fn label(self) -> (&'static str, &'static str) {
        let value = match self {
            Self::Ready => "ready",
            Self::ImagePull => "image-pull",
            Self::CrashLoop => "crash-loop",
            Self::Unschedulable => "unschedulable",
            Self::NeverReady => "never-ready",
        };
        (START, value)
    }

    fn of_label(value: &str) -> Option<Self> {
        [Self::Ready, Self::ImagePull, Self::CrashLoop, Self::Unschedulable, Self::NeverReady]
            .into_iter()
            .find(|start| start.label().1 == value)
    }
}

/// What becomes of a pod that is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Stop {
    /// `prompt`: it is gone at once.
    #[default]
    Prompt,
    /// `slow`: it takes its whole grace period, until it is killed.
    Slow,
    /// It takes that long, or its grace period if that is shorter.
    After(Duration),
    /// `stuck`: it stays Terminating, as on a node that nobody hears of.
    Stuck,
}

impl Stop {
    /// The label that says so, where there is one.
    pub fn label(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Prompt => Some((STOP, "prompt")),
            Self::Slow => Some((STOP, "slow")),
            Self::After(_) => None,
            Self::Stuck => Some((STOP, "stuck")),
        }
    }

    fn of_label(value: &str) -> Option<Self> {
        [Self::Prompt, Self::Slow, Self::Stuck]
            .into_iter()
            .find(|stop| stop.label().is_some_and(|(_, label)| label == value))
    }
}

/// How a pod fares from its start to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Behaviour {
    /// What becomes of it when it is to run.
    pub start: Start,
    /// What becomes of it when it is to end.
    pub stop: Stop,
    /// How long it runs before it is ready.
    pub ready_after: Duration,
}

impl Behaviour {
    /// Ready at once, gone at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another start.
    #[must_use]
    pub fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// Another end.
    #[must_use]
    pub fn stop(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// Ready later. As a label, in milliseconds: `dr-kubelet/ready-after-ms: "500"`.
    #[must_use]
    pub fn ready_after(mut self, time: Duration) -> Self {
        self.ready_after = time;
        self
    }

    /// What holds for a pod with these labels. A value that means nothing changes nothing.
    pub(crate) fn with_labels(mut self, labels: &BTreeMap<String, String>) -> Self {
        if let Some(start) = labels.get(START).and_then(|value| Start::of_label(value)) {
            self.start = start;
        }
        if let Some(stop) = labels.get(STOP).and_then(|value| Stop::of_label(value)) {
            self.stop = stop;
        }
        if let Some(time) = labels.get(READY_AFTER).and_then(|value| value.parse().ok()) {
            self.ready_after = Duration::from_millis(time);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pods_labels_win_over_its_namespace() {
        let namespace = Behaviour::new().start(Start::CrashLoop).ready_after(Duration::from_secs(9));
        let labels = BTreeMap::from([
            (START.to_owned(), "image-pull".to_owned()),
            (STOP.to_owned(), "stuck".to_owned()),
            (READY_AFTER.to_owned(), "250".to_owned()),
        ]);
        let held = namespace.with_labels(&labels);
        assert_eq!((held.start, held.stop), (Start::ImagePull, Stop::Stuck));
        assert_eq!(held.ready_after, Duration::from_millis(250));
    }

    #[test]
    fn a_label_that_means_nothing_changes_nothing() {
        let labels = BTreeMap::from([(START.to_owned(), "explode".to_owned())]);
        assert_eq!(Behaviour::new().with_labels(&labels), Behaviour::new());
    }
}
