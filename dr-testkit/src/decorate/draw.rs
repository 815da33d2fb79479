//! What goes wrong with a call, drawn from a seed: the same for the same call of the same step.

use std::time::Duration;

use dr_core::{ErrorKind, StepId};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::recorder::Called;
use super::trouble::Trouble;

/// A step's later calls of a kind go well, so that a run can come to its end.
const STRUCK_AT_MOST: u32 = 2;

pub(super) fn draw(seed: u64, percent: u32, step: &StepId, call: Called, nth: u32) -> Option<Trouble> {
    if nth > STRUCK_AT_MOST {
        return None;
    }
    let salt = format!("{step} {call} {nth}");
    let of_call = salt
        .bytes()
        .fold(seed, |hash, byte| hash.rotate_left(7).wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte));
    let mut random = StdRng::seed_from_u64(of_call);
    if random.random_range(0..100) >= percent {
        return None;
    }
    let millis = |random: &mut StdRng| Duration::from_millis(random.random_range(0..3_000));
    Some(match (call, random.random_range(0..7)) {
        (_, 0) => Trouble::Late(millis(&mut random)),
        (_, 1) => Trouble::Fails(kind(&mut random)),
        (_, 2) => Trouble::BlackHole,
        (Called::Prepare, _) => Trouble::InDoubt(kind(&mut random)),
        (Called::Apply | Called::Undo, 3) => Trouble::InDoubt(kind(&mut random)),
        (Called::Apply | Called::Undo, 4) => Trouble::LostReply,
        (Called::Apply | Called::Undo, 5) => Trouble::Twice,
        (Called::Apply | Called::Undo, _) => Trouble::CutAfter(millis(&mut random)),
    })
}

fn kind(random: &mut StdRng) -> ErrorKind {
    let kinds = [
        ErrorKind::Unreachable,
        ErrorKind::Hung,
        ErrorKind::Unauthorized,
        ErrorKind::Conflict,
        ErrorKind::Throttled,
        ErrorKind::Timeout,
        ErrorKind::Refused,
        ErrorKind::NotReady,
        ErrorKind::Unknown,
    ];
    kinds[random.random_range(0..kinds.len())]
}
