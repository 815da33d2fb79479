//! The shapes of plans that are measured.

/// How a plan's steps stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Each waits for the one before it.
    Chain,
    /// All side by side.
    Wide,
    /// Phases of a hundred side by side, one phase after the other.
    Mixed,
    /// Two phases: every step of the second waits for every step of the first.
    Halves,
}

impl Shape {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Chain, Self::Wide, Self::Mixed, Self::Halves];

    /// The word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Wide => "wide",
            Self::Mixed => "mixed",
            Self::Halves => "halves",
        }
    }

    /// A plan of that many steps, as text.
    pub(crate) fn plan(self, steps: usize) -> String {
        let in_phase = match self {
            Self::Chain | Self::Wide => steps,
            Self::Mixed => 100,
            Self::Halves => steps.div_ceil(2),
        };
        let mut text = String::from(
            "schema: dr/v1\nname: bench\nbudget: { rto: 1h }\nresources: { thing: { kind: nowhere } }\nphases:\n",
        );
        for index in 0..steps {
            if index % in_phase == 0 {
                text.push_str(&format!("  - name: p{}\n    steps:\n", index / in_phase));
            }
            let after = match self {
                Self::Chain if index > 0 => format!(", after: [s{}]", index - 1),
                Self::Chain | Self::Wide | Self::Mixed | Self::Halves => String::new(),
            };
            text.push_str(&format!(
                "      - {{ scale: thing, in: target, replicas: 3, id: s{index}{after} }}\n"
            ));
        }
        text
    }
}
