//! An object store as slots.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use dr_core::journal::{Created, Slots, Tag};
use dr_core::{Error, Result};
use futures_util::TryStreamExt as _;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, PutMode, PutOptions, UpdateVersion};

use crate::error::classify;

/// Slots on an object store that has conditional writes.
///
/// Object stores have no conditional removal. A removed value is replaced, under the same condition, by an empty
/// object, which reads as nothing, is not listed, and is replaced by the next create.
#[derive(Debug, Clone)]
pub struct ObjectSlots {
    store: Arc<dyn ObjectStore>,
    prefix: String,
}

/// What stands under a key.
struct There {
    bytes: Bytes,
    version: UpdateVersion,
}

/// What a conditional write answered, after reading back where it did not say.
enum Written {
    Yes,
    /// Something else stands there, or nothing.
    No(Option<There>),
}

impl ObjectSlots {
    /// The slots under `prefix`, which may be empty.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: &str) -> Self {
        Self { store, prefix: prefix.trim_matches('/').to_owned() }
    }

    fn path(&self, key: &str) -> Result<Path> {
        let sound =
            !key.is_empty() && key.split('/').all(|segment| !segment.is_empty() && !segment.starts_with('.'));
        let whole = if self.prefix.is_empty() { key.to_owned() } else { format!("{}/{key}", self.prefix) };
        match Path::parse(&whole) {
            Ok(path) if sound => Ok(path),
            Ok(_) | Err(_) => Err(Error::invalid(format!("`{key}` is no key"))),
        }
    }

    async fn look(&self, path: &Path) -> Result<Option<There>> {
        let error = |error| classify("read", path.as_ref(), error);
        match self.store.get_opts(path, GetOptions::default()).await {
            Ok(found) => {
                let version =
                    UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
                Ok(Some(There { bytes: found.bytes().await.map_err(error)?, version }))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(failed) => Err(error(failed)),
        }
    }

    /// Writes under a condition. A store that retries by itself may answer that the condition does not hold because
    /// of its own first try, and a lost answer says nothing: what is there decides.
    async fn write(&self, path: &Path, mode: PutMode, bytes: &Bytes) -> Result<Written> {
        let options = PutOptions { mode, ..PutOptions::default() };
        let failed = match self.store.put_opts(path, bytes.clone().into(), options).await {
            Ok(_) => return Ok(Written::Yes),
            Err(failed) => failed,
        };
        let decided = matches!(
            failed,
            object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. }
                | object_store::Error::NotFound { .. }
        );
        match self.look(path).await {
            Ok(Some(there)) if there.bytes == *bytes => Ok(Written::Yes),
            Ok(there) if decided => Ok(Written::No(there)),
            Ok(_) | Err(_) => Err(classify("write", path.as_ref(), failed)),
        }
    }
}

#[async_trait]
impl Slots for ObjectSlots {
    async fn create(&self, key: &str, bytes: Bytes) -> Result<Created> {
        if bytes.is_empty() {
            return Err(Error::invalid("an empty value cannot be kept").on(key));
        }
        let path = self.path(key)?;
        match self.store.put_opts(&path, bytes.clone().into(), PutMode::Create.into()).await {
            Ok(_) => return Ok(Created::Yes),
            Err(failed) => match self.look(&path).await {
                Ok(Some(there)) if there.bytes == bytes => return Ok(Created::Mine),
                // Removed once: free, and whoever replaces what marks it has it.
                Ok(Some(there)) if there.bytes.is_empty() => {
                    match self.write(&path, PutMode::Update(there.version), &bytes).await? {
                        Written::Yes => return Ok(Created::Yes),
                        Written::No(Some(there)) if !there.bytes.is_empty() => {
                            return Ok(Created::Other(there.bytes));
                        }
                        Written::No(_) => {}
                    }
                }
                Ok(Some(there)) => return Ok(Created::Other(there.bytes)),
                Ok(None) | Err(_) => return Err(classify("create", path.as_ref(), failed)),
            },
        }
        Err(Error::new(dr_core::ErrorKind::Conflict, "others write the same key").on(key).transient(None))
    }

    async fn read(&self, key: &str) -> Result<Option<(Bytes, Tag)>> {
        let there = self.look(&self.path(key)?).await?;
        Ok(there.filter(|there| !there.bytes.is_empty()).map(|there| (there.bytes, tag(&there.version))))
    }

    async fn replace_if(&self, key: &str, expected: &Tag, bytes: Bytes) -> Result<bool> {
        if bytes.is_empty() {
            return Err(Error::invalid("an empty value cannot be kept").on(key));
        }
        let Some(version) = version(expected) else { return Ok(false) };
        Ok(matches!(self.write(&self.path(key)?, PutMode::Update(version), &bytes).await?, Written::Yes))
    }

    async fn remove_if(&self, key: &str, expected: &Tag) -> Result<bool> {
        let path = self.path(key)?;
        match version(expected) {
            Some(version) => match self.write(&path, PutMode::Update(version), &Bytes::new()).await? {
                Written::Yes | Written::No(None) => Ok(true),
                Written::No(Some(_)) => Ok(false),
            },
            None => Ok(self.read(key).await?.is_none()),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let folder = prefix.rsplit_once('/').map(|(folder, _)| folder).unwrap_or_default();
        let below = match (self.prefix.is_empty(), folder.is_empty()) {
            (true, true) => None,
            (false, true) => Some(Path::from(self.prefix.as_str())),
            (_, false) => Some(self.path(folder)?),
        };
        let objects: Vec<_> = self
            .store
            .list(below.as_ref())
            .try_collect()
            .await
            .map_err(|error| classify("list", prefix, error))?;
        let key = |path: &Path| match self.prefix.as_str() {
            "" => Some(path.as_ref().to_owned()),
            ours => path.as_ref().strip_prefix(ours)?.strip_prefix('/').map(str::to_owned),
        };
        let mut keys: Vec<String> = objects
            .iter()
            .filter(|object| object.size > 0)
            .filter_map(|object| key(&object.location))
            .filter(|key| key.starts_with(prefix))
            .collect();
        keys.sort();
        Ok(keys)
    }
}

fn tag(version: &UpdateVersion) -> Tag {
    Tag(serde_json::json!([version.e_tag, version.version]).to_string())
}

/// `None`: no tag of this store's.
fn version(tag: &Tag) -> Option<UpdateVersion> {
    let (e_tag, version) = serde_json::from_str(&tag.0).ok()?;
    let version = UpdateVersion { e_tag, version };
    (version.e_tag.is_some() || version.version.is_some()).then_some(version)
}
