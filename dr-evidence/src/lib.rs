//! The evidence of a run: a folder that says what happened and can be checked without trusting us.
//!
//! A [`Bundle`] is made of a run's journal, its plan and its measurements, and sealed atomically: [`Metrics`] for
//! machines, a summary for people, every file listed with its SHA-256 in a [`Manifest`], which also names the bundle
//! before. `sha256sum -c SHA256SUMS` checks the files with ordinary tools; [`verify`] also checks that the journal is
//! unbroken and that the figures say what it says; [`verify_chain`] finds out that a bundle is gone.
//!
//! What a run *is* and what happens in it is `dr-core`'s; when a bundle is sealed and where it goes is the command's.
//! Nothing here reads a clock, the environment or a terminal.
//!
//! ```
//! use dr_core::journal::{Head, read_lines};
//! use dr_core::resource::Redactor;
//! use dr_evidence::{Bundle, show, verify};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let evidence = folder.path();
//! # let plan = "schema: dr/v1\nname: orders\n";
//! # let entry: dr_core::event::Entry = serde_json::from_value(serde_json::json!({
//! #     "seq": 1, "epoch": 1, "at": "2026-11-21T02:00:00Z", "elapsed_ms": 0, "event": "began",
//! #     "run": "20261121T020000Z-abcdef", "format": 1, "tool": "dr 0.1.0", "mode": "failover",
//! #     "urgency": "unplanned", "on_failure": "hold", "actor": { "name": "alice", "from": "bastion" },
//! #     "plan": "orders", "plan_hash": dr_core::journal::Digest::of(plan.as_bytes()).to_string(),
//! #     "roles": { "source": "us-east-1", "target": "eu-central-1" }, "budget": {}, "outages": [], "losses": [],
//! #     "identities": [], "overrides": [], "outage_since": null, "outage_declared": false, "detected": null,
//! #     "script": { "phases": [], "steps": [] },
//! # }))?;
//! # let journal = bytes::Bytes::from(Head::start().encode(&[entry])?.0);
//! let lines = read_lines(&journal)?.lines;
//! let sealed = Bundle::builder(&lines, plan, &Redactor::default()).seal(evidence, None)?;
//! assert!(verify(&sealed.folder).is_sound());
//! assert!(show(&sealed.folder)?.starts_with("orders: NOT ENDED"));
//! # Ok(())
//! # }
//! ```

mod bundle;
mod draft;
mod error;
mod hashing;
mod log;
mod manifest;
mod markdown;
mod metrics;
mod post_mortem;
mod reading;
mod seconds;
mod show;
mod state;
mod story;
mod summary;
mod timings;
mod verify;

pub use bundle::{Bundle, JOURNAL, PLAN, SUMMARY, SUMS, Sealed};
pub use manifest::{FileEntry, Link, MANIFEST, MANIFEST_VERSION, Manifest};
pub use metrics::{METRICS, METRICS_VERSION, Metrics};
pub use reading::bundles;
pub use seconds::Seconds;
pub use show::show;
pub use timings::Timings;
pub use verify::{Before, Check, Outcome, Report, verify, verify_after, verify_chain};
