//! The list of a restore's changes, as an object beside them: written before the first of them, read by every repeat and
//! by undo. What the journal holds of it is its name and its hash.

use aws_sdk_s3::primitives::ByteStream;
use data_encoding::HEXLOWER;
use dr_core::resource::Cx;
use dr_core::{Error, ErrorKind, Happened, Result};
use sha2::{Digest, Sha256};

use super::changes::Change;
use crate::s3::buckets::Place;

/// A list as bytes: one change a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List {
    pub(super) changes: Vec<Change>,
    bytes: Vec<u8>,
}

impl List {
    pub(super) fn new(changes: Vec<Change>) -> Result<Self> {
        let mut bytes = Vec::new();
        for change in &changes {
            serde_json::to_writer(&mut bytes, change)
                .map_err(|error| Error::invalid("the list of changes cannot be written").because(error))?;
            bytes.push(b'\n');
        }
        Ok(Self { changes, bytes })
    }

    fn read(bytes: Vec<u8>) -> Result<Self> {
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let changes = lines.map(serde_json::from_slice).collect::<Result<Vec<Change>, _>>();
        match changes {
            Ok(changes) => Ok(Self { changes, bytes }),
            Err(error) => Err(Error::invalid("the list of changes cannot be read").because(error)),
        }
    }

    pub(super) fn hash(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(&self.bytes))
    }
}

/// Reads a list. `None`: it was never written, or is removed.
///
/// # Errors
/// `Conflict` if it is not the list with that hash.
pub(super) async fn fetch(cx: &Cx, place: Place<'_>, key: &str, hash: &str) -> Result<Option<List>> {
    let s3 = place.s3();
    let got = place
        .reads("s3:GetObject")
        .ask(cx, || s3.get_object().bucket(&place.bucket.name).key(key).send())
        .await;
    let body = match got {
        Ok(got) => got.body,
        Err(error) if error.is("NoSuchKey") => return Ok(None),
        Err(error) => return Err(Error::from(error).on(place.object(key))),
    };
    let bytes = body.collect().await.map_err(|error| {
        Error::new(ErrorKind::Unreachable, "it broke off").because(error).on(place.object(key))
    })?;
    let list = List::read(bytes.to_vec())?;
    if list.hash() == hash {
        return Ok(Some(list));
    }
    Err(Error::new(ErrorKind::Conflict, "it is not the list that this step wrote").on(place.object(key)))
}

/// Writes a list where none is, and finds it if it is there already.
pub(super) async fn keep(cx: &Cx, place: Place<'_>, key: &str, list: &List) -> Result<()> {
    let s3 = place.s3();
    let put = place
        .changes("s3:PutObject")
        .ask(cx, || {
            s3.put_object()
                .bucket(&place.bucket.name)
                .key(key)
                .if_none_match("*")
                .body(ByteStream::from(list.bytes.clone()))
                .send()
        })
        .await;
    let error = match put {
        Ok(_) => return Ok(()),
        Err(error) => Error::from(error).on(place.object(key)),
    };
    if error.happened() == Happened::No && error.kind() != ErrorKind::Conflict {
        return Err(error);
    }
    match fetch(cx, place, key, &list.hash()).await? {
        Some(_) => Ok(()),
        None => Err(error),
    }
}

/// Removes a list and every version of it.
pub(super) async fn forget(cx: &Cx, place: Place<'_>, key: &str) -> Result<()> {
    crate::s3::marker::remove(cx, place, key).await
}
