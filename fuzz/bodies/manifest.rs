//! A bundle whose manifest somebody else wrote: only the one that was sealed is sound, and no path leads out.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use dr_evidence::{Before, MANIFEST, bundles, show, verify, verify_after, verify_chain};

#[path = "../../dr-evidence/tests/common/mod.rs"]
pub(crate) mod common;

struct Sealed {
    root: tempfile::TempDir,
    folder: PathBuf,
    manifest: Vec<u8>,
}

pub(crate) fn run(bytes: &[u8]) {
    static SEALED: OnceLock<Sealed> = OnceLock::new();
    let sealed = SEALED.get_or_init(|| {
        let root = tempfile::tempdir().expect("a folder");
        let folder = common::seal(&common::unprotected(), root.path(), None).folder;
        let manifest = fs::read(folder.join(MANIFEST)).expect("a manifest");
        Sealed { root, folder, manifest }
    });
    let folder = &sealed.folder;
    fs::write(folder.join(MANIFEST), bytes).expect("a manifest in its place");
    let report = verify(folder);
    assert_eq!(report.is_sound(), bytes == sealed.manifest, "{report}");
    let _ = show(folder);
    let _ = verify_after(folder, Before::Folder(folder));
    if let Ok(all) = bundles(sealed.root.path()) {
        let _ = verify_chain(&all, &[]);
    }
}
