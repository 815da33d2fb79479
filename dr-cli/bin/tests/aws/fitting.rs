//! An example plan, fitted to a world: what is tested is what is shown.
//!
//! Every fit replaces a text that stands in the example, so that one that does not fit any more is found out. Addresses,
//! names, TTLs and durations are the world's; no phase, no step and no budget is touched.

use std::path::{Path, PathBuf};

/// A plan of `examples/plans`.
#[derive(Debug, Clone)]
pub(crate) struct Fitting {
    name: String,
    text: String,
}

impl Fitting {
    pub(crate) fn example(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/plans").join(name);
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { name: name.to_owned(), text }
    }

    /// Everywhere that instead of this, which has to stand there.
    #[track_caller]
    pub(crate) fn fit(mut self, from: &str, to: &str) -> Self {
        assert!(self.text.contains(from), "`{from}` does not stand in {}", self.name);
        self.text = self.text.replace(from, to);
        self
    }

    /// The same, where it may not stand.
    pub(crate) fn fit_if_there(mut self, from: &str, to: &str) -> Self {
        self.text = self.text.replace(from, to);
        self
    }

    pub(crate) fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join(&self.name);
        // Whole or not at all: another command may be reading it.
        let beside = folder.join(format!("{}.new", self.name));
        std::fs::write(&beside, &self.text).unwrap();
        std::fs::rename(&beside, &path).unwrap();
        path
    }
}
