//! A bundle on its way: a folder beside its destination that nobody takes for a bundle until it is renamed.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use dr_core::resource::Redactor;
use serde::Serialize;

use crate::error::EvidenceError;
use crate::hashing::{CHUNK, Hashing};
use crate::manifest::FileEntry;

type Result<T> = std::result::Result<T, EvidenceError>;

/// How much of a copied file secrets are looked for in at once: a console's output as a whole, as a rule, so that a
/// secret of several lines is found as well.
const PIECE: u64 = 16 << 20;

/// The folder while it is being filled. Dropped without [`Draft::publish`] it is removed; after a crash the next one
/// of the same name removes it.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    folder: PathBuf,
    /// Held as long as the draft lives: a folder that nobody has locked was left by a crash.
    lock: Option<File>,
    folders: BTreeSet<PathBuf>,
    files: Vec<FileEntry>,
    redactor: &'a Redactor,
}

impl<'a> Draft<'a> {
    /// Begins a draft of the bundle `name` in `into`, and clears away what an earlier, killed one left.
    pub(crate) fn begin(into: &Path, name: &str, redactor: &'a Redactor) -> Result<Self> {
        fs::create_dir_all(into).map_err(EvidenceError::io("create", into))?;
        let folder = into.join(format!(".{name}.sealing"));
        match File::open(&folder) {
            Ok(left) => {
                match left.try_lock() {
                    Ok(()) => {}
                    Err(TryLockError::WouldBlock) => return Err(EvidenceError::Busy(into.to_owned())),
                    Err(TryLockError::Error(error)) => return Err(EvidenceError::io("lock", &folder)(error)),
                }
                fs::remove_dir_all(&folder).map_err(EvidenceError::io("remove the leftover", &folder))?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(EvidenceError::io("open", &folder)(error)),
        }
        match fs::create_dir(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(EvidenceError::Busy(into.to_owned()));
            }
            Err(error) => return Err(EvidenceError::io("create", &folder)(error)),
        }
        let lock = File::open(&folder).map_err(EvidenceError::io("open", &folder))?;
        lock.try_lock().map_err(|_| EvidenceError::Busy(into.to_owned()))?;
        let folders = BTreeSet::from([folder.clone()]);
        Ok(Self { folder, lock: Some(lock), folders, files: Vec::new(), redactor })
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(
        &mut self,
        path: &str,
        parts: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<()> {
        self.file(path, false, |file| parts.into_iter().try_for_each(|part| file.write_all(part.as_ref())))
    }

    /// Writes a text, its secrets masked.
    pub(crate) fn text(&mut self, path: &str, text: &str) -> Result<()> {
        let masked = self.redactor.redact(text);
        self.file(path, masked != text, |file| file.write_all(masked.as_bytes()))
    }

    /// Writes a value as indented JSON, the secrets in its strings masked.
    pub(crate) fn json(&mut self, path: &str, what: &'static str, value: &impl Serialize) -> Result<()> {
        let json = |source| EvidenceError::Json { what, source };
        let mut value = serde_json::to_value(value).map_err(json)?;
        let redacted = self.redactor.redact_json(&mut value);
        let mut text = serde_json::to_string_pretty(&value).map_err(json)?;
        text.push('\n');
        self.file(path, redacted, |file| file.write_all(text.as_bytes()))
    }

    /// Copies a file as long as it is now, its secrets masked. Returns whether there was one.
    pub(crate) fn copy(&mut self, path: &str, from: &Path) -> Result<bool> {
        let source = match File::open(from) {
            Ok(source) => source,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(EvidenceError::io("open", from)(error)),
        };
        let length = source.metadata().map_err(EvidenceError::io("look at", from))?.len();
        let redactor = self.redactor;
        let mut redacted = false;
        let copied = self.file(path, false, |file| {
            redacted = copy_masked(source.take(length), file, redactor)?;
            Ok(())
        });
        if let Some(entry) = self.files.last_mut().filter(|_| copied.is_ok()) {
            entry.redacted = redacted;
        }
        copied.map(|()| true)
    }

    /// What was written so far, sorted by path.
    pub(crate) fn files(&self) -> Vec<FileEntry> {
        let mut files = self.files.clone();
        files.sort_by(|one, other| one.path.cmp(&other.path));
        files
    }

    /// Makes everything durable and gives the folder its name. From here on the bundle is there as a whole.
    pub(crate) fn publish(mut self, into: &Path, destination: &Path) -> Result<()> {
        for folder in &self.folders {
            sync_folder(folder)?;
        }
        fs::rename(&self.folder, destination).map_err(EvidenceError::io("publish", destination))?;
        self.lock = None;
        sync_folder(into)
    }

    fn file(
        &mut self,
        path: &str,
        redacted: bool,
        write: impl FnOnce(&mut BufWriter<Hashing<File>>) -> io::Result<()>,
    ) -> Result<()> {
        let full = self.folder.join(path);
        if let Some(parent) = full.parent() {
            fs::create_dir_all(parent).map_err(EvidenceError::io("create", parent))?;
            let ours = parent.ancestors().take_while(|folder| folder.starts_with(&self.folder));
            self.folders.extend(ours.map(Path::to_owned));
        }
        let failed = EvidenceError::io("write", &full);
        let file = OpenOptions::new().write(true).create_new(true).open(&full);
        let written = file.and_then(|file| {
            let mut file = BufWriter::with_capacity(CHUNK, Hashing::new(file));
            write(&mut file)?;
            let (file, bytes, sha256) = file.into_inner().map_err(|error| error.into_error())?.finish();
            file.sync_all()?;
            Ok((bytes, sha256))
        });
        let (bytes, sha256) = written.map_err(failed)?;
        self.files.push(FileEntry { path: path.to_owned(), bytes, sha256, redacted });
        Ok(())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if self.lock.is_some() {
            // What stays is cleared away by the next draft of this name.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(EvidenceError::io("sync", folder))
}

/// Copies in large pieces of whole lines, so that no secret of a line is cut in two. Bytes that are no text are kept as they are
/// where nothing is hidden in them.
fn copy_masked(mut from: impl Read, to: &mut impl Write, redactor: &Redactor) -> io::Result<bool> {
    if redactor.is_empty() {
        io::copy(&mut from, to)?;
        return Ok(false);
    }
    let (mut piece, mut redacted) = (Vec::new(), false);
    loop {
        let read = from.by_ref().take(PIECE).read_to_end(&mut piece)?;
        let whole = if read == 0 {
            piece.len()
        } else {
            match piece.iter().rposition(|byte| *byte == b'\n') {
                Some(end) => end + 1,
                None => piece.len(),
            }
        };
        let text = String::from_utf8_lossy(&piece[..whole]);
        let masked = redactor.redact(&text);
        if masked == *text {
            to.write_all(&piece[..whole])?;
        } else {
            redacted = true;
            to.write_all(masked.as_bytes())?;
        }
        piece.drain(..whole);
        if read == 0 {
            return Ok(redacted);
        }
    }
}
