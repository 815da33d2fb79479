//! A journal of any bytes: what is read of it is exactly a beginning of what is there, and however hostile the events
//! are, they fold or are refused.

use bytes::Bytes;
use dr_core::event::{Entry, RunState};
use dr_core::journal::{Chain, Line, read_lines};

#[path = "chained.rs"]
mod chained;

pub(crate) fn run(bytes: &[u8]) {
    let whole = Bytes::copy_from_slice(bytes);
    if let Ok(chain) = read_lines(&whole) {
        is_a_beginning(&whole, &chain);
        folded(&chain.lines);
    }
    folded(&chained::journal(bytes));
}

fn is_a_beginning(whole: &Bytes, chain: &Chain) {
    let written: Vec<u8> = chain.lines.iter().flat_map(|line| [&line.bytes[..], b"\n"].concat()).collect();
    let (committed, tail) = whole.split_at(chain.committed_len);
    assert_eq!((written.as_slice(), &chain.tail[..]), (committed, tail));
    assert_eq!(chain.head.next, chain.lines.len() as u64 + 1);
    match read_lines(&Bytes::copy_from_slice(committed)) {
        Ok(again) => assert_eq!((again.lines.len(), again.head), (chain.lines.len(), chain.head)),
        Err(error) => panic!("without its tail it is damaged: {error}"),
    }
}

fn folded(lines: &[Line]) {
    let entries: Vec<Entry> = lines.iter().map(|line| line.entry.clone()).collect();
    let Ok(Some(state)) = RunState::replay(&entries) else { return };
    assert_eq!(state.seq, entries.len() as u64);
    assert_eq!(state.steps.len(), state.in_order().count());
    assert!(!state.is_past_no_return() || state.is_to_promote());
    let _ = (state.has_touched(), state.nobody_can_write_since(), state.found_nothing_to_do());
}
