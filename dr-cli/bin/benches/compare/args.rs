//! What a person may choose.

use crate::way::Way;

/// The choices.
#[derive(Debug, Clone)]
pub(crate) struct Args {
    pub(crate) rounds: usize,
    pub(crate) ways: Vec<Way>,
    pub(crate) loss: Loss,
    /// Whether the script asks the lost region's cluster.
    pub(crate) ask_source: bool,
    /// Whether to show what the commands said.
    pub(crate) show: bool,
}

/// How the source is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Its database and services are killed; its machine still answers.
    Killed,
    /// All of it lives, and nobody reaches it.
    CutOff,
}

impl Loss {
    /// The sandbox's words for it.
    pub(crate) fn fault(self) -> &'static [&'static str] {
        match self {
            Self::Killed => &["break", "source"],
            Self::CutOff => &["break", "source", "--hard"],
        }
    }
}

impl Args {
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut args = Self {
            rounds: 3,
            ways: vec![Way::Dr, Way::Script],
            loss: Loss::Killed,
            ask_source: false,
            show: false,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--rounds" => args.rounds = words.next().and_then(|n| n.parse().ok()).unwrap_or(0),
                "--only" => match words.next().as_deref() {
                    Some("dr") => args.ways = vec![Way::Dr],
                    Some("script") => args.ways = vec![Way::Script],
                    _ => return Err("--only dr, or --only script".to_owned()),
                },
                "--cut-off" => args.loss = Loss::CutOff,
                "--ask-source" => args.ask_source = true,
                "--show" => args.show = true,
                // Cargo's own.
                "--bench" => {}
                _ => return Err(format!("unknown: {word}")),
            }
        }
        if args.rounds == 0 { Err("--rounds 1, or more".to_owned()) } else { Ok(args) }
    }
}
