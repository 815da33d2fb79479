//! What stood somewhere before it was changed, kept beside in a Secret of the same namespace.

use data_encoding::{BASE64, HEXLOWER};
use dr_core::resource::Cx;
use dr_core::{ErrorKind, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::cluster::{Cluster, Whatever, Write};
use crate::discovery::Kind;

/// The key of a Secret that holds one value.
pub(crate) const SOLE_KEY: &str = "value";
/// Whose copy it is.
const RUN: &str = "dr.dev/kept-by";

/// A copy.
#[derive(Debug, Deserialize)]
pub(crate) struct Kept {
    #[serde(default)]
    data: Map<String, Value>,
}

#[derive(Deserialize)]
struct Named {
    metadata: crate::objects::Meta,
}

impl Kept {
    /// What the copy of a step is called: the same for every attempt.
    pub(crate) fn name(cx: &Cx) -> String {
        format!("dr-kept-{}", short(&cx.token))
    }

    /// The Secret, with what it keeps in order.
    pub(crate) fn object(cx: &Cx, namespace: &str, name: &str, values: &[Option<Value>]) -> Value {
        let data: Map<String, Value> = values
            .iter()
            .enumerate()
            .map(|(index, value)| {
                let text = serde_json::to_string(value).unwrap_or_default();
                (format!("place-{index}"), json!(BASE64.encode(text.as_bytes())))
            })
            .collect();
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": { "name": name, "namespace": namespace, "labels": { RUN: short(cx.run.as_str()) } },
            "data": data,
        })
    }

    pub(crate) async fn write(
        cx: &Cx,
        cluster: &Cluster,
        name: &str,
        values: &[Option<Value>],
    ) -> Result<()> {
        let path = Kind::core("secrets", "Secret").path(&cluster.namespace);
        let body = Self::object(cx, &cluster.namespace, name, values);
        cluster.write::<Whatever>(cx, &Write::post(path, &body)).await.map(drop)
    }

    pub(crate) async fn read(cx: &Cx, cluster: &Cluster, name: &str) -> Result<Option<Self>> {
        cluster.find(cx, &Kind::core("secrets", "Secret").at(&cluster.namespace, name)).await
    }

    /// Whether it keeps so many.
    pub(crate) fn covers(&self, count: usize) -> bool {
        self.data.len() == count
    }

    /// What stood at a place.
    pub(crate) fn value(&self, index: usize) -> Option<Value> {
        let text = self.data.get(&format!("place-{index}"))?.as_str()?;
        let value: Value = serde_json::from_slice(&BASE64.decode(text.as_bytes()).ok()?).ok()?;
        (!value.is_null()).then_some(value)
    }

    /// Deletes it; one that is gone is no error.
    pub(crate) async fn drop(cx: &Cx, cluster: &Cluster, name: &str) -> Result<()> {
        let path = Kind::core("secrets", "Secret").at(&cluster.namespace, name);
        match cluster.write::<Whatever>(cx, &Write::delete(path, &json!({}))).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Deletes the copies of other runs. They have ended: this one holds the claim on the namespace.
    pub(crate) async fn forget_others(cx: &Cx, cluster: &Cluster) -> Result<()> {
        let path = Kind::core("secrets", "Secret").path(&cluster.namespace);
        let labels = format!("{RUN},{RUN}!={}", short(cx.run.as_str()));
        let (others, _) = cluster.list::<Named>(cx, &path, Some(&labels)).await?;
        for other in others {
            Self::drop(cx, cluster, &other.metadata.name).await?;
        }
        Ok(())
    }
}

/// A hash that tells whether something is still as it was, salted so that two copies cannot be compared.
pub(crate) fn digest(salt: &str, value: &Value) -> String {
    let mut hash = Sha256::new();
    hash.update(salt.as_bytes());
    hash.update([0]);
    hash.update(value.to_string().as_bytes());
    HEXLOWER.encode(&hash.finalize())
}

fn short(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes()))[..16].to_owned()
}

/// What the Secret is called that is made for a secret of the plan: another value is another Secret, so that pods that
/// still run with the old one keep it.
pub(crate) fn secret_name(secret: &str, value: &str) -> String {
    let name: String = secret.to_lowercase().replace('_', "-");
    format!("dr-{}-{}", name.trim_matches('-'), short(&format!("{secret}\0{value}")))
}

/// That Secret.
pub(crate) fn made_secret(namespace: &str, name: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": { "name": name, "namespace": namespace, "labels": { "dr.dev/made": "true" } },
        "data": { SOLE_KEY: BASE64.encode(value.as_bytes()) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_tells_one_value_from_another_and_says_nothing_else() {
        let (one, other) = (digest("s", &json!("a")), digest("s", &json!("b")));
        assert_ne!(one, other);
        assert_ne!(one, digest("t", &json!("a")), "the salt does not matter");
        assert_eq!(one, digest("s", &json!("a")));
    }

    #[test]
    fn what_is_kept_comes_back_and_absence_too() {
        let cx = Cx::new("r".into(), "p/s".into(), std::time::Duration::from_secs(1));
        let object = Kept::object(&cx, "n", "k", &[Some(json!({ "name": "A", "value": "x" })), None]);
        let kept: Kept = serde_json::from_value(object).unwrap();
        assert_eq!(kept.value(0), Some(json!({ "name": "A", "value": "x" })));
        assert_eq!(kept.value(1), None);
        assert!(kept.covers(2));
    }
}
