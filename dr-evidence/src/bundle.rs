//! The evidence of one run, from its journal to a sealed folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use dr_core::journal::{Digest, Line};
use dr_core::plan::Finding;
use dr_core::resource::Redactor;
use dr_core::{Result, Timestamp};

use crate::draft::Draft;
use crate::error::EvidenceError;
use crate::log::log;
use crate::manifest::{Link, MANIFEST, MANIFEST_VERSION, Manifest};
use crate::metrics::{METRICS, Metrics};
use crate::post_mortem::post_mortem;
use crate::reading::read_manifest;
use crate::state::{file_name, states, tables};
use crate::story::Story;
use crate::summary::summary;
use crate::verify::verify;

/// The checksums' name in a bundle.
pub const SUMS: &str = "SHA256SUMS";
/// The journal's name in a bundle.
pub const JOURNAL: &str = "journal.ndjson";
/// The plan's name in a bundle.
pub const PLAN: &str = "plan.yaml";
/// The page for people.
pub const SUMMARY: &str = "summary.md";

/// The sample files that are looked for even if the journal names none.
const SAMPLES: [&str; 2] = ["probes.ndjson", "ledger.ndjson"];

/// What a bundle is made of. Sealing does blocking input and output: an asynchronous caller gives it a thread.
#[derive(Debug, Clone)]
#[must_use = "nothing is written before `seal`"]
pub struct Bundle<'a> {
    lines: &'a [Line],
    plan: &'a str,
    redactor: &'a Redactor,
    spool: Option<&'a Path>,
    console: Option<&'a Path>,
    findings: &'a [Finding],
    created: Option<Timestamp>,
}

/// A bundle that lies on the disk as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sealed {
    /// Where.
    pub folder: PathBuf,
    /// The SHA-256 of its manifest.
    pub manifest_sha256: Digest,
    /// What the next bundle links to; `None` for a provisional bundle, to which nothing links.
    pub link: Option<Link>,
}

impl<'a> Bundle<'a> {
    /// The evidence of a run: its committed lines, as they were written, and its plan's text with secrets unresolved.
    /// What is written goes through the redactor, but for the journal, which did when it was written.
    pub fn builder(lines: &'a [Line], plan: &'a str, redactor: &'a Redactor) -> Self {
        Self { lines, plan, redactor, spool: None, console: None, findings: &[], created: None }
    }

    /// The run's folder, where its sample files lie: those that the journal names, `probes.ndjson` and `ledger.ndjson`.
    pub fn with_spool(mut self, folder: &'a Path) -> Self {
        self.spool = Some(folder);
        self
    }

    /// The console's output so far. A file that is not there is left out.
    pub fn with_console(mut self, file: &'a Path) -> Self {
        self.console = Some(file);
        self
    }

    /// What `dr check` found: acknowledged warnings stand in the summary with their reasons.
    pub fn with_findings(mut self, findings: &'a [Finding]) -> Self {
        self.findings = findings;
        self
    }

    /// When it is sealed. Without it the time of the journal's last line counts.
    pub fn created(mut self, at: Timestamp) -> Self {
        self.created = Some(at);
        self
    }

    /// Writes the bundle as a folder of `into` that is named for the run, all or nothing: a crash leaves none or a
    /// whole one, and what it leaves half-done the next seal of this run clears away.
    ///
    /// A run that has not ended gives a provisional bundle with a name of its own (`<run>.provisional-<event>`), which
    /// is not linked. Sealing what is sealed already returns what is there, whole and verified.
    ///
    /// # Errors
    /// `Invalid` if the lines are no run's journal; `Conflict` if another process seals this run's bundle now, or if
    /// something else has its place; else what the file system says.
    pub fn seal(&self, into: &Path, previous: Option<&Link>) -> Result<Sealed> {
        Ok(self.try_seal(into, previous)?)
    }

    fn try_seal(&self, into: &Path, previous: Option<&Link>) -> Result<Sealed, EvidenceError> {
        let story = Story::of(self.lines)?;
        let name = name(&story);
        let destination = into.join(&name);
        let mut draft = Draft::begin(into, &name, self.redactor)?;
        self.fill(&mut draft, &story)?;
        let manifest = Manifest {
            version: MANIFEST_VERSION,
            tool: concat!("dr ", env!("CARGO_PKG_VERSION")).to_owned(),
            run: story.began().run.clone(),
            mode: story.began().mode,
            ending: story.ended.as_ref().map(|ended| ended.ending),
            suspended: story.suspended().map(|(why, _)| why),
            provisional: !story.is_over(),
            created: self.created.unwrap_or(story.state.last_at),
            previous: previous.filter(|_| story.is_over()).cloned(),
            files: draft.files(),
        };
        let mut text = serde_json::to_string_pretty(&manifest)
            .map_err(|source| EvidenceError::Json { what: "the manifest", source })?;
        text.push('\n');
        let manifest_sha256 = Digest::of(text.as_bytes());
        if fs::symlink_metadata(&destination).is_ok() {
            return already(&destination, &manifest);
        }
        draft.bytes(MANIFEST, [&text])?;
        draft.bytes(SUMS, [manifest.sums(manifest_sha256)])?;
        draft.publish(into, &destination)?;
        Ok(sealed(destination, manifest_sha256, &manifest))
    }

    fn fill(&self, draft: &mut Draft<'_>, story: &Story<'_>) -> Result<(), EvidenceError> {
        let metrics = Metrics::of_story(story);
        draft.text(PLAN, self.plan)?;
        draft.bytes(JOURNAL, self.lines.iter().flat_map(|line| [&line.bytes[..], b"\n"]))?;
        draft.json(METRICS, "the metrics", &metrics)?;
        draft.text(SUMMARY, &summary(story, &metrics, self.findings))?;
        draft.text("post-mortem.md", &post_mortem(story, &metrics))?;
        draft.text("rto.txt", &figure("RTO", metrics.rto_seconds))?;
        draft.text("rpo.txt", &figure("RPO", metrics.rpo_seconds))?;
        draft.text("failover.log", &log(self.lines))?;
        for (path, state) in states(story) {
            draft.json(&path, "a resource's state", &state)?;
        }
        for (path, text) in tables(story) {
            draft.text(&path, &text)?;
        }
        if let Some(console) = self.console {
            draft.copy("console.log", console)?;
        }
        if let Some(spool) = self.spool {
            for file in sample_files(story) {
                draft.copy(file, &spool.join(file))?;
            }
        }
        Ok(())
    }
}

/// The folder's name: the run's, and for a provisional bundle also the last event that it covers.
fn name(story: &Story<'_>) -> String {
    let run = file_name(story.began().run.as_str());
    if story.is_over() { run } else { format!("{run}.provisional-{}", story.state.seq) }
}

/// `RTO: 780s (13 minutes)`.
fn figure(name: &str, figure: Option<crate::Seconds>) -> String {
    match figure {
        Some(seconds) => format!("{name}: {seconds}s ({})\n", seconds.in_words()),
        None => format!("{name}: not measured\n"),
    }
}

/// The sample files to copy: a name that is a path, or one of our own files', is not followed.
fn sample_files<'a>(story: &Story<'a>) -> Vec<&'a str> {
    let named = story.samples.keys().copied().filter(|name| is_sample_file(name));
    let mut files: Vec<&str> = SAMPLES.into_iter().chain(named).collect();
    files.sort_unstable();
    files.dedup();
    files
}

/// Whether a sample file of that name may stand in a bundle.
pub(crate) fn is_sample_file(name: &str) -> bool {
    name.ends_with(".ndjson") && name != JOURNAL && file_name(name) == name
}

/// Something has the bundle's place: it is this very bundle, sealed before a crash, or it is in the way.
fn already(destination: &Path, ours: &Manifest) -> Result<Sealed, EvidenceError> {
    let taken = |why: String| EvidenceError::Taken { path: destination.to_owned(), why };
    let (theirs, bytes) = read_manifest(destination).map_err(|error| match error {
        EvidenceError::NoBundle { why, .. } => taken(why),
        EvidenceError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            taken("it has no manifest".to_owned())
        }
        other => other,
    })?;
    let same = |manifest: &Manifest| {
        (manifest.run.clone(), manifest.previous.clone(), manifest.file(JOURNAL).map(|file| file.sha256))
    };
    if same(&theirs) != same(ours) {
        return Err(taken("it holds another journal or links to another bundle".to_owned()));
    }
    match verify(destination).first_failure() {
        Some(failure) => Err(taken(failure)),
        None => Ok(sealed(destination.to_owned(), Digest::of(&bytes), &theirs)),
    }
}

fn sealed(folder: PathBuf, manifest_sha256: Digest, manifest: &Manifest) -> Sealed {
    let link = Link::new(manifest.run.clone(), manifest_sha256);
    Sealed { folder, manifest_sha256, link: (!manifest.provisional).then_some(link) }
}
