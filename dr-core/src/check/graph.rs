//! Which step is certainly over before which, and the longest way through.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::StepId;
use crate::runbook::ScriptStep;

/// For each node those that it waits for, by index.
pub(super) type Edges = Vec<Vec<usize>>;

/// The edges between steps; what names no step is left out.
pub(super) fn edges(steps: &[ScriptStep]) -> Edges {
    let index: BTreeMap<&StepId, usize> =
        steps.iter().enumerate().map(|(index, step)| (&step.id, index)).collect();
    steps.iter().map(|step| step.after.iter().filter_map(|id| index.get(id).copied()).collect()).collect()
}

/// An order in which each node stands behind all that it waits for. Nodes of a circle are left out.
fn ordered(edges: &Edges) -> Vec<usize> {
    let mut waits: Vec<usize> = edges.iter().map(Vec::len).collect();
    let mut followers: Edges = vec![Vec::new(); edges.len()];
    for (node, befores) in edges.iter().enumerate() {
        for before in befores {
            followers[*before].push(node);
        }
    }
    let mut order: Vec<usize> = (0..edges.len()).filter(|node| waits[*node] == 0).collect();
    let mut next = 0;
    while let Some(node) = order.get(next).copied() {
        next += 1;
        for follower in &followers[node] {
            waits[*follower] -= 1;
            if waits[*follower] == 0 {
                order.push(*follower);
            }
        }
    }
    order
}

/// Which node is certainly over before which: the closure of the edges, one bit a pair.
pub(super) struct Closure(Vec<Vec<u64>>);

impl Closure {
    pub(super) fn of(edges: &Edges) -> Self {
        let words = edges.len().div_ceil(64);
        let mut rows = vec![vec![0_u64; words]; edges.len()];
        for node in ordered(edges) {
            let mut row = std::mem::take(&mut rows[node]);
            for before in &edges[node] {
                row[before / 64] |= 1 << (before % 64);
                for (word, more) in row.iter_mut().zip(&rows[*before]) {
                    *word |= more;
                }
            }
            rows[node] = row;
        }
        Self(rows)
    }

    /// Whether `early` is over whenever `late` starts.
    pub(super) fn before(&self, early: usize, late: usize) -> bool {
        self.0.get(late).and_then(|row| row.get(early / 64)).is_some_and(|word| word >> (early % 64) & 1 == 1)
    }
}

/// When each node can start at the latest if every node takes its time, and by which way.
pub(super) struct Schedule {
    starts: Vec<Duration>,
    times: Vec<Duration>,
    through: Vec<Option<usize>>,
}

impl Schedule {
    pub(super) fn of(edges: &Edges, times: Vec<Duration>) -> Self {
        let mut starts = vec![Duration::ZERO; edges.len()];
        let mut through = vec![None; edges.len()];
        for node in ordered(edges) {
            for before in &edges[node] {
                let end = starts[*before].saturating_add(times[*before]);
                if end > starts[node] || through[node].is_none() {
                    starts[node] = end.max(starts[node]);
                    through[node] = Some(*before);
                }
            }
        }
        Self { starts, times, through }
    }

    pub(super) fn start(&self, node: usize) -> Duration {
        self.starts[node]
    }

    pub(super) fn end(&self, node: usize) -> Duration {
        self.starts[node].saturating_add(self.times[node])
    }

    /// The nodes along which the time to `node` adds up, first to last.
    pub(super) fn way(&self, node: usize) -> Vec<usize> {
        let mut way = vec![node];
        while let Some(before) = self.through[way[way.len() - 1]] {
            way.push(before);
        }
        way.reverse();
        way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_is_transitive_and_the_longest_way_counts() {
        let edges = vec![vec![], vec![0], vec![0], vec![1, 2]];
        let closure = Closure::of(&edges);
        assert!(
            closure.before(0, 3) && closure.before(2, 3) && !closure.before(1, 2) && !closure.before(3, 0)
        );
        let seconds = |count: &u64| Duration::from_secs(*count);
        let schedule = Schedule::of(&edges, [1, 5, 3, 2].iter().map(seconds).collect());
        assert_eq!((schedule.end(3), schedule.way(3)), (Duration::from_secs(8), vec![0, 1, 3]));
    }
}
