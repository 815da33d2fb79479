//! The line format: what is written is read, and nothing else is.

use bytes::Bytes;
use dr_core::event::{Actor, Debt, DebtKind, Event, Found, OutageSeen, Request, Suspension};
use dr_core::journal::{Head, JournalError, MAX_LINE, read_lines};
use dr_core::{StepId, Timestamp};
use proptest::prelude::*;

use crate::support::{entries, entry};

/// A journal of batches of these sizes.
fn journal(batches: &[u64]) -> Vec<u8> {
    let (mut bytes, mut head) = (Vec::new(), Head::start());
    for size in batches {
        let (batch, next) = head.encode(&entries(head.next, head.next + size - 1, 1)).unwrap();
        bytes.extend(batch);
        head = next;
    }
    bytes
}

fn read(bytes: &[u8]) -> Result<dr_core::journal::Chain, JournalError> {
    read_lines(&Bytes::copy_from_slice(bytes))
}

#[test]
fn what_is_written_is_read() {
    let bytes = journal(&[1, 3, 2]);
    let chain = read(&bytes).unwrap();
    assert_eq!(chain.lines.len(), 6);
    assert_eq!(chain.committed_len, bytes.len());
    assert!(chain.tail.is_empty());
    assert_eq!(chain.head.next, 7);
    assert_eq!(chain.lines[4].entry, entry(5, 1, "waiting"));
}

#[test]
fn the_format_is_one_object_a_line_with_prev_and_commit() {
    let text = String::from_utf8(journal(&[2])).unwrap();
    let mut lines = text.lines();
    let first = lines.next().unwrap();
    assert_eq!(
        first,
        format!(
            r#"{{"seq":1,"epoch":1,"at":"2025-11-16T02:00:00.000000Z","elapsed_ms":1,"event":"progress","step":"promote/fence:orders","text":"waiting","prev":"{}"}}"#,
            "0".repeat(64)
        )
    );
    let digest = dr_core::journal::Digest::of(first.as_bytes());
    assert!(lines.next().unwrap().ends_with(&format!(r#""prev":"{digest}","commit":true}}"#)));
}

#[test]
fn an_empty_journal_has_no_lines() {
    assert_eq!(read(b"").unwrap().head, Head::start());
}

#[test]
fn every_kind_of_event_survives_its_line() {
    let step = StepId::new("promote/fence:orders");
    let actor = Actor { name: "alice".into(), from: "bastion".into() };
    let at = Timestamp::from_millis(1_763_258_400_000);
    let debt =
        Debt { kind: DebtKind::Guard, resource: "orders".into(), side: "us".into(), why: "silent".into() };
    let events = [
        Event::Driven { actor: actor.clone(), epoch: 3 },
        Event::Settled { step: step.clone(), found: Found::NotDone },
        Event::Requested {
            request: Request::Approve { step, plan_hash: "ab".into() },
            actor,
            reason: "go".into(),
        },
        Event::Outage(OutageSeen::Began { probe: "shop".into(), at, why: "refused".into() }),
        Event::Outage(OutageSeen::Ended { probe: "shop".into(), at, served_by: Some("eu".into()) }),
        Event::DebtOpened(debt),
        Event::Samples { file: "probes.ndjson".into(), sha256: "ab".into(), bytes: 7 },
        Event::Suspended { why: Suspension::Held, text: "dr resume".into() },
    ];
    for event in events {
        let written = dr_core::event::Entry { event, ..entry(1, 3, "") };
        let (bytes, _) = Head::start().encode(std::slice::from_ref(&written)).unwrap();
        assert_eq!(read(&bytes).unwrap().lines[0].entry, written);
    }
}

#[test]
fn an_unknown_kind_of_event_is_read_and_its_bytes_are_kept() {
    let text = String::from_utf8(journal(&[1])).unwrap().replace(r#""progress""#, r#""levitated""#);
    let chain = read(text.as_bytes()).unwrap();
    assert_eq!(chain.lines[0].entry.event, Event::Unknown);
    assert_eq!(chain.lines[0].bytes, text.trim_end().as_bytes());
}

#[test]
fn an_event_that_could_not_be_read_back_is_not_written() {
    let timings = [("promote".to_owned(), f64::NAN)].into();
    let ending = dr_core::event::Ending::Succeeded;
    let event = Event::Ended { ending, text: String::new(), timings };
    let entry = dr_core::event::Entry { event, ..entry(1, 1, "") };
    assert!(matches!(Head::start().encode(&[entry]), Err(JournalError::Refused { .. })));
}

#[test]
fn a_batch_that_does_not_continue_the_chain_is_not_written() {
    assert!(matches!(Head::start().encode(&entries(2, 3, 1)), Err(JournalError::Refused { .. })));
    let (_, head) = Head::start().encode(&entries(1, 2, 5)).unwrap();
    assert!(matches!(head.encode(&entries(3, 3, 4)), Err(JournalError::Refused { .. })));
}

#[test]
fn a_line_without_end_is_refused_in_bounded_memory() {
    for bytes in [vec![b'{'; 10_000_000], {
        let mut line = vec![b' '; MAX_LINE + 1];
        line.push(b'\n');
        line
    }] {
        assert!(matches!(read(&bytes), Err(JournalError::Damaged { at: 1, .. })));
    }
    let long = entry(1, 1, &"x".repeat(MAX_LINE));
    let refused = Head::start().encode(&[long]).unwrap_err().to_string();
    assert!(refused.contains("longer than 8 MiB"), "{refused}");
}

#[test]
fn the_longest_line_is_written_and_read_and_may_be_cut_off_at_its_last_byte() {
    let around = journal(&[1]).len() - "waiting\n".len();
    let long = entry(1, 1, &"x".repeat(MAX_LINE - around));
    let (bytes, _) = Head::start().encode(&[long]).unwrap();
    assert_eq!(bytes.len(), MAX_LINE + 1);
    assert_eq!(read(&bytes).unwrap().lines.len(), 1);
    assert_eq!(read(&bytes[..MAX_LINE]).unwrap().tail.len(), MAX_LINE);
}

#[test]
fn a_removed_a_repeated_and_a_swapped_line_are_damage() {
    let bytes = journal(&[1, 1, 1, 1]);
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    for order in [&[0, 2, 3][..], &[0, 1, 1, 2, 3], &[0, 2, 1, 3], &[1, 2, 3]] {
        let changed: Vec<u8> = order.iter().flat_map(|index| lines[*index].to_vec()).collect();
        assert!(matches!(read(&changed), Err(JournalError::Damaged { .. })), "{order:?}");
    }
}

#[test]
fn hostile_bytes_are_no_panic() {
    let deep = [b"[".repeat(100_000), b"\n".to_vec()].concat();
    for bytes in [&b"\n\n\n"[..], b"null\n", b"{}\n", b"\xff\xfe\n", b"\0\0\0\0", &deep] {
        let chain = read(bytes).unwrap();
        assert_eq!((chain.lines.len(), chain.tail.len()), (0, bytes.len()));
    }
    assert!(matches!(read(b"{\"commit\":false,\"commit\":true}\n"), Err(JournalError::Damaged { .. })));
}

proptest! {
    /// P27: a journal cut at every byte.
    #[test]
    fn a_journal_cut_anywhere_keeps_every_committed_batch(sizes in prop::collection::vec(1_u64..4, 1..6), cut in 0.0_f64..1.0) {
        let bytes = journal(&sizes);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a position in a short text")]
        let cut = (bytes.len() as f64 * cut) as usize;
        let chain = read(&bytes[..cut]).unwrap();
        let mut whole = 0;
        let mut kept = 0;
        for batch in &sizes {
            let next: usize = bytes[whole..].split_inclusive(|byte| *byte == b'\n').take(usize::try_from(*batch).unwrap()).map(<[u8]>::len).sum();
            if whole + next > cut { break; }
            whole += next;
            kept += *batch;
        }
        prop_assert_eq!(chain.committed_len, whole);
        prop_assert_eq!(chain.lines.len() as u64, kept);
        prop_assert_eq!(chain.tail.len(), cut - whole);
    }

    /// P32: a byte of a journal is changed.
    #[test]
    fn a_changed_byte_before_the_last_line_is_found(at in 0.0_f64..1.0, bit in 0_u8..8) {
        let mut bytes = journal(&[1, 2, 1]);
        let last = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a position in a short text")]
        let at = (last as f64 * at) as usize;
        bytes[at] ^= 1 << bit;
        let damaged = matches!(read(&bytes), Err(JournalError::Damaged { .. }));
        prop_assert!(damaged);
    }

    #[test]
    fn any_bytes_at_all_are_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes);
    }
}
