//! Mutants of seeds, the same ones at every run: what libFuzzer does for hours, in a few seconds of an ordinary test.

use std::fs;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// What turns a document into another one, or into none.
const WORDS: &[&str] = &[
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "<<: ",
    "? ",
    ": ",
    "- ",
    "\"",
    "'",
    "\\",
    "\0",
    "\n",
    "\t",
    "# ",
    "!!str ",
    "null",
    "true",
    "-1",
    "1e308",
    "18446744073709551615",
    "9223372036854775807",
    "-9223372036854775808",
    "100years",
    "0s",
    "\u{feff}",
];

/// Every file of `fuzz/seeds/<name>`.
pub(crate) fn seeds(name: &str) -> Vec<Vec<u8>> {
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(name))
}

/// Every file of a folder, in the order of their names.
pub(crate) fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("a folder of seeds")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    paths.iter().map(|path| fs::read(path).expect("a seed")).collect()
}

/// Gives every seed as it is to `run`, then so many mutants.
pub(crate) fn each(seeds: &[Vec<u8>], mutants: usize, run: impl Fn(&[u8])) {
    seeds.iter().for_each(|seed| run(seed));
    let mut rng = StdRng::seed_from_u64(20_261_121);
    for _ in 0..mutants {
        let mut bytes = pick(&mut rng, seeds).clone();
        for _ in 0..rng.random_range(1..4) {
            mutate(&mut rng, &mut bytes, seeds);
        }
        run(&bytes);
    }
}

fn mutate(rng: &mut StdRng, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let (from, to) = range(rng, bytes.len());
    match rng.random_range(0..9) {
        0 if from < bytes.len() => bytes[from] ^= 1 << rng.random_range(0..8),
        1 => bytes.truncate(from),
        2 => drop(bytes.drain(from..to)),
        3 => {
            let piece = bytes[from..to].repeat(rng.random_range(1..20));
            bytes.splice(from..from, piece.into_iter().take(1 << 16));
        }
        4 => {
            let other = pick(rng, seeds);
            let (begin, end) = range(rng, other.len());
            bytes.splice(from..to, other[begin..end].iter().copied());
        }
        5 => {
            let word = pick(rng, WORDS).repeat(if rng.random_range(0..8) == 0 { 9_000 } else { 1 });
            bytes.splice(from..from, word.bytes());
        }
        6 => {
            if let Some((begin, end)) = number(bytes, from) {
                bytes.splice(begin..end, pick(rng, WORDS).bytes());
            }
        }
        _ => lines(rng, bytes),
    }
}

/// A line is dropped, repeated elsewhere or moved.
fn lines(rng: &mut StdRng, bytes: &mut Vec<u8>) {
    let mut lines: Vec<Vec<u8>> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if lines.is_empty() {
        return;
    }
    let (from, to) = (rng.random_range(0..lines.len()), rng.random_range(0..lines.len()));
    match rng.random_range(0..3) {
        0 => drop(lines.remove(from)),
        1 => lines.insert(to, lines[from].clone()),
        _ => lines.swap(from, to),
    }
    *bytes = lines.concat();
}

/// The digits at `from` or behind it.
fn number(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let begin = from + bytes[from..].iter().position(u8::is_ascii_digit)?;
    let digits = bytes[begin..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    Some((begin, begin + digits))
}

fn range(rng: &mut StdRng, length: usize) -> (usize, usize) {
    let (one, other) = (rng.random_range(0..=length), rng.random_range(0..=length));
    (one.min(other), one.max(other))
}

fn pick<'a, T>(rng: &mut StdRng, from: &'a [T]) -> &'a T {
    &from[rng.random_range(0..from.len())]
}
