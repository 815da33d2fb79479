//! Whatever is done to a journal's lines: it is found, or what is read is a beginning of what was written.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use bytes::Bytes;
use dr_core::event::{Entry, Event};
use dr_core::journal::{Chain, Head, JournalError, read_lines};
use dr_core::{StepId, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// How the last line of a batch ends.
const COMMIT: &[u8] = br#","commit":true}"#;

/// The lines of a journal of batches of these sizes, line feeds included; `text` makes it another journal.
fn journal(batches: &[usize], text: &str) -> Vec<Vec<u8>> {
    let (mut bytes, mut head) = (Vec::new(), Head::start());
    for size in batches {
        let entry = |index: usize| Entry {
            seq: head.next + index as u64,
            epoch: 1,
            at: Timestamp::from_millis(0),
            elapsed_ms: 0,
            event: Event::Progress { step: StepId::new("a/wait"), text: text.to_owned() },
        };
        let (batch, next) = head.encode(&(0..*size).map(entry).collect::<Vec<_>>()).unwrap();
        bytes.extend(batch);
        head = next;
    }
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn read(lines: &[Vec<u8>]) -> Result<Chain, JournalError> {
    read_lines(&Bytes::from(lines.concat()))
}

/// How many of the first lines are those that were written.
fn common(one: &[Vec<u8>], other: &[Vec<u8>]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// What is done to a journal.
#[derive(Debug, Clone)]
enum Harm {
    Drop(Index),
    Repeat(Index, Index),
    Swap(Index, Index),
    Splice(Index, Index),
    Exchange(Index, Index),
}

fn harm() -> impl Strategy<Value = Harm> {
    (any::<Index>(), any::<Index>(), 0..5).prop_map(|(one, other, kind)| match kind {
        0 => Harm::Drop(one),
        1 => Harm::Repeat(one, other),
        2 => Harm::Swap(one, other),
        3 => Harm::Splice(one, other),
        _ => Harm::Exchange(one, other),
    })
}

fn harmed(mut lines: Vec<Vec<u8>>, foreign: &[Vec<u8>], harm: &Harm) -> Vec<Vec<u8>> {
    let length = lines.len();
    match harm {
        Harm::Drop(at) => drop(lines.remove(at.index(length))),
        Harm::Repeat(from, to) => lines.insert(to.index(length + 1), lines[from.index(length)].clone()),
        Harm::Swap(one, two) => lines.swap(one.index(length), two.index(length)),
        Harm::Splice(from, to) => {
            lines.insert(to.index(length + 1), foreign[from.index(foreign.len())].clone())
        }
        Harm::Exchange(from, at) => lines[at.index(length)] = foreign[from.index(foreign.len())].clone(),
    }
    lines
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// P32: lines dropped, repeated, swapped, spliced in and exchanged, by any number of hands.
    #[test]
    fn harmed_lines_are_found_or_only_the_end_is_gone(
        batches in vec(1..4_usize, 1..6),
        foreign in vec(1..4_usize, 1..6),
        harms in vec(harm(), 1..4),
    ) {
        let written = journal(&batches, "waiting");
        // A journal of another run differs from its first line on.
        let foreign = journal(&foreign, "another run");
        let mut there = written.clone();
        for harm in &harms {
            if !there.is_empty() {
                there = harmed(there, &foreign, harm);
            }
        }
        let kept = common(&written, &there);
        let foreign_whole = common(&foreign, &there);
        match read(&there) {
            Err(JournalError::Damaged { at, .. }) => prop_assert_eq!(at, kept.max(foreign_whole) as u64 + 1),
            Err(other) => prop_assert!(false, "{:?}", other),
            Ok(chain) => {
                let own = chain.lines.len() <= kept;
                prop_assert!(own || chain.lines.len() <= foreign_whole, "{} lines of {} are read", chain.lines.len(), kept);
                // Nothing that says it was committed stands behind what is read.
                let committed = |line: &[u8]| line.ends_with(COMMIT);
                prop_assert!(!chain.tail.split(|byte| *byte == b'\n').any(committed));
            }
        }
    }

    /// P27: the end of a journal that was torn, against one whose middle was.
    #[test]
    fn a_torn_tail_is_no_damage_and_the_same_tear_before_a_commit_is(
        batches in vec(1..4_usize, 2..6),
        line in any::<Index>(),
        cut in any::<Index>(),
    ) {
        let written = journal(&batches, "waiting");
        let line = line.index(written.len());
        let cut = cut.index(written[line].len() - 1);
        let torn = written[line][..cut].to_vec();

        let at_the_end = [&written[..line], std::slice::from_ref(&torn)].concat();
        let chain = read(&at_the_end).unwrap();
        prop_assert!(chain.lines.len() <= line);
        prop_assert_eq!(chain.committed_len + chain.tail.len(), at_the_end.concat().len());

        let healed = [torn, b"\n".to_vec()].concat();
        let in_the_middle = [&written[..line], &[healed], &written[line + 1..]].concat();
        if line + 1 < written.len() {
            let damaged = matches!(read(&in_the_middle), Err(JournalError::Damaged { .. }));
            prop_assert!(damaged);
        }
    }

    /// P32: any one byte of the last line becomes another.
    #[test]
    fn a_changed_byte_of_the_last_line_changes_no_line_before_it(
        batches in vec(1..4_usize, 1..6),
        at in any::<Index>(),
        to in any::<u8>(),
    ) {
        let written = journal(&batches, "waiting");
        let mut there = written.clone();
        let last = there.last_mut().unwrap();
        let at = at.index(last.len());
        last[at] = to;
        if let Ok(chain) = read(&there) {
            prop_assert!(chain.lines.len() <= written.len());
            for (line, written) in chain.lines.iter().zip(&written[..written.len() - 1]) {
                prop_assert_eq!(&line.bytes[..], &written[..written.len() - 1]);
            }
        }
    }
}
