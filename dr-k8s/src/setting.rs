//! Where a setting stands: an environment variable of a container, a key of a config map or of a secret.

use std::collections::BTreeMap;
use std::fmt;

use data_encoding::BASE64;
use dr_core::resource::{Secret, Setting};
use dr_core::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::discovery::Kind;
use crate::kept::{SOLE_KEY, secret_name};
use crate::reader::is_name;

/// A place in an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    /// A variable of a container.
    Env {
        /// The workload's path.
        path: String,
        /// The container; while it is only written, none means every one that has it.
        container: Option<String>,
        /// The variable.
        name: String,
    },
    /// A key of a config map or a secret.
    Key {
        /// The object's path.
        path: String,
        /// `configmap` or `secret`.
        kind: String,
        /// Its name.
        object: String,
        /// The key.
        key: String,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env { path, container, name } => {
                let workload = path.rsplit('/').next().unwrap_or_default();
                write!(f, "{workload} env/{}/{name}", container.as_deref().unwrap_or("*"))
            }
            Self::Key { kind, object, key, .. } => write!(f, "{kind}/{object}/{key}"),
        }
    }
}

/// What shall stand there.
#[derive(Clone)]
pub(crate) enum Content {
    /// That text.
    Text(String),
    /// That secret; `name` is the Secret that an environment refers to.
    Secret {
        /// The Secret that is made for it.
        name: String,
        /// Its value.
        value: Secret,
    },
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({self})")
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Secret { .. } => f.write_str("a secret"),
        }
    }
}

impl Content {
    /// As it stands at a place.
    pub(crate) fn shown(&self, place: &Place) -> Value {
        match (place, self) {
            (Place::Env { name, .. }, Self::Text(text)) => json!({ "name": name, "value": text }),
            (Place::Env { name, .. }, Self::Secret { name: secret, .. }) => json!({
                "name": name, "valueFrom": { "secretKeyRef": { "name": secret, "key": SOLE_KEY } },
            }),
            (Place::Key { kind, .. }, content) => {
                let text = match content {
                    Self::Text(text) => text.as_str(),
                    Self::Secret { value, .. } => value.expose(),
                };
                if kind == "secret" { json!(BASE64.encode(text.as_bytes())) } else { json!(text) }
            }
        }
    }
}

/// A place with what shall stand there.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) place: Place,
    pub(crate) value: Content,
}

/// A setting as the plan writes it.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) place: Place,
    pub(crate) value: Content,
}

impl Told {
    /// Reads `env/NAME`, `env/CONTAINER/NAME`, `configmap/NAME/KEY` or `secret/NAME/KEY`.
    pub(crate) fn read(written: &str, setting: &Setting, secrets: &BTreeMap<String, Secret>) -> Result<Self> {
        let value = match setting {
            Setting::Text(text) => Content::Text(text.clone()),
            Setting::Secret { secret } => {
                let value = secrets.get(secret).ok_or_else(|| {
                    Error::invalid(format!("no secret `{secret}` in this resource: give it under `secrets`"))
                })?;
                Content::Secret { name: secret_name(secret, value.expose()), value: value.clone() }
            }
        };
        let parts: Vec<&str> = written.split('/').collect();
        let place = match parts.as_slice() {
            ["env", name] if !name.is_empty() => {
                Place::Env { path: String::new(), container: None, name: (*name).to_owned() }
            }
            ["env", container, name] if !container.is_empty() && !name.is_empty() => Place::Env {
                path: String::new(),
                container: Some((*container).to_owned()),
                name: (*name).to_owned(),
            },
            [kind @ ("configmap" | "secret"), object, key] if is_name(object) && !key.is_empty() => {
                Place::Key {
                    path: String::new(),
                    kind: (*kind).to_owned(),
                    object: (*object).to_owned(),
                    key: (*key).to_owned(),
                }
            }
            _ => {
                return Err(Error::invalid(format!(
                    "`{written}` is no setting: write env/NAME, env/CONTAINER/NAME, configmap/NAME/KEY or secret/NAME/KEY"
                )));
            }
        };
        Ok(Self { place, value })
    }

    /// The container that is named.
    pub(crate) fn container(&self) -> Option<&str> {
        match &self.place {
            Place::Env { container, .. } => container.as_deref(),
            Place::Key { .. } => None,
        }
    }

    /// Where a key stands in a namespace.
    pub(crate) fn at(&self, namespace: &str) -> Place {
        match &self.place {
            Place::Key { kind, object, key, .. } => {
                let (plural, name) =
                    if kind == "secret" { ("secrets", "Secret") } else { ("configmaps", "ConfigMap") };
                Place::Key {
                    path: Kind::core(plural, name).at(namespace, object),
                    kind: kind.clone(),
                    object: object.clone(),
                    key: key.clone(),
                }
            }
            place => place.clone(),
        }
    }

    /// Where a variable stands in a workload.
    pub(crate) fn places_in(&self, path: &str, workload: &Value) -> Vec<Place> {
        let Place::Env { container, name, .. } = &self.place else { return Vec::new() };
        let containers = ["containers", "initContainers"]
            .into_iter()
            .filter_map(|list| workload.pointer(&format!("/spec/template/spec/{list}"))?.as_array())
            .flatten();
        containers
            .filter(|one| match container {
                Some(wanted) => one.get("name").and_then(Value::as_str) == Some(wanted),
                None => variable(one, name).is_some(),
            })
            .filter_map(|one| {
                let container = one.get("name")?.as_str()?.to_owned();
                Some(Place::Env { path: path.to_owned(), container: Some(container), name: name.clone() })
            })
            .collect()
    }
}

fn variable<'a>(container: &'a Value, name: &str) -> Option<&'a Value> {
    container.get("env")?.as_array()?.iter().find(|one| one.get("name").and_then(Value::as_str) == Some(name))
}

impl Place {
    /// The object in which it is.
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Env { path, .. } | Self::Key { path, .. } => path,
        }
    }

    /// What stands there.
    pub(crate) fn get(&self, object: &Value) -> Option<Value> {
        match self {
            Self::Env { container, name, .. } => {
                let container = container_of(object, container.as_deref()?)?;
                variable(container, name).cloned()
            }
            Self::Key { key, .. } => object.get("data")?.get(key).cloned(),
        }
    }

    /// Puts it there, or takes away what stands there.
    pub(crate) fn set(&self, object: &mut Value, to: Option<Value>) {
        match self {
            Self::Env { container, name, .. } => {
                let Some(container) =
                    container.as_deref().and_then(|container| container_of_mut(object, container))
                else {
                    return;
                };
                set_variable(container, name, to);
            }
            Self::Key { key, .. } => {
                let Some(fields) = object.as_object_mut() else { return };
                let data = fields.entry("data").or_insert_with(|| json!({}));
                if data.is_null() {
                    *data = json!({});
                }
                let Some(data) = data.as_object_mut() else { return };
                match to {
                    Some(value) => {
                        data.insert(key.clone(), value);
                    }
                    None => {
                        data.shift_remove(key);
                        if data.is_empty() {
                            fields.shift_remove("data");
                        }
                    }
                }
            }
        }
    }
}

fn set_variable(container: &mut Value, name: &str, to: Option<Value>) {
    let Some(fields) = container.as_object_mut() else { return };
    let env = fields.entry("env").or_insert_with(|| json!([]));
    let Some(all) = env.as_array_mut() else { return };
    let at = all.iter().position(|one| one.get("name").and_then(Value::as_str) == Some(name));
    match (at, to) {
        // In its place: a variable may refer to those before it.
        (Some(at), Some(value)) => all[at] = value,
        (None, Some(value)) => all.push(value),
        (Some(at), None) => {
            all.remove(at);
        }
        (None, None) => {}
    }
    if all.is_empty() {
        fields.shift_remove("env");
    }
}

fn container_of<'a>(workload: &'a Value, name: &str) -> Option<&'a Value> {
    ["containers", "initContainers"].into_iter().find_map(|list| {
        let all = workload.pointer(&format!("/spec/template/spec/{list}"))?.as_array()?;
        all.iter().find(|one| one.get("name").and_then(Value::as_str) == Some(name))
    })
}

fn container_of_mut<'a>(workload: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    let list = ["containers", "initContainers"].into_iter().find(|list| {
        let all = workload.pointer(&format!("/spec/template/spec/{list}")).and_then(Value::as_array);
        all.is_some_and(|all| all.iter().any(|one| one.get("name").and_then(Value::as_str) == Some(name)))
    })?;
    let all = workload.pointer_mut(&format!("/spec/template/spec/{list}"))?.as_array_mut()?;
    all.iter_mut().find(|one| one.get("name").and_then(Value::as_str) == Some(name))
}

/// Whether a workload's pods read that config map or secret: as variables, or as files.
pub(crate) fn reads(workload: &Value, kind: &str, object: &str) -> bool {
    let Some(spec) = workload.pointer("/spec/template/spec") else { return false };
    let is = |value: Option<&Value>| value.and_then(Value::as_str) == Some(object);
    let (in_env, from_env, key_ref) = if kind == "secret" {
        ("secretKeyRef", "secretRef", "secretName")
    } else {
        ("configMapKeyRef", "configMapRef", "name")
    };
    let volume = if kind == "secret" { "secret" } else { "configMap" };
    let containers =
        ["containers", "initContainers"].into_iter().filter_map(|list| spec.get(list)?.as_array()).flatten();
    let by_env = containers.into_iter().any(|one| {
        let env = one.get("env").and_then(Value::as_array).into_iter().flatten();
        let all = one.get("envFrom").and_then(Value::as_array).into_iter().flatten();
        env.into_iter().any(|variable| is(variable.pointer(&format!("/valueFrom/{in_env}/name"))))
            || all.into_iter().any(|source| is(source.pointer(&format!("/{from_env}/name"))))
    });
    let volumes = spec.get("volumes").and_then(Value::as_array).into_iter().flatten();
    by_env
        || volumes.into_iter().any(|one| {
            let sources = one.pointer("/projected/sources").and_then(Value::as_array).into_iter().flatten();
            is(one.pointer(&format!("/{volume}/{key_ref}")))
                || sources.into_iter().any(|source| is(source.pointer(&format!("/{volume}/name"))))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload() -> Value {
        json!({ "spec": { "template": { "spec": {
            "containers": [
                { "name": "web", "env": [{ "name": "DATABASE_URL", "value": "old" }, { "name": "B", "value": "$(DATABASE_URL)" }] },
                { "name": "sidecar" },
            ],
            "volumes": [{ "name": "v", "configMap": { "name": "app" } }],
        } } } })
    }

    fn told(written: &str) -> Result<Told> {
        Told::read(written, &Setting::Text("new".to_owned()), &BTreeMap::new())
    }

    #[test]
    fn a_variable_is_set_in_every_container_that_has_it_and_put_back_in_its_place() {
        let before = workload();
        let mut object = before.clone();
        let told = told("env/DATABASE_URL").unwrap();
        let places = told.places_in("/w", &object);
        assert_eq!(places.len(), 1);
        let was = places[0].get(&object);
        places[0].set(&mut object, Some(told.value.shown(&places[0])));
        let set = object.pointer("/spec/template/spec/containers/0/env/0/value");
        assert_eq!(set, Some(&json!("new")));
        places[0].set(&mut object, was);
        assert_eq!(object, before);
    }

    #[test]
    fn what_was_absent_is_absent_again() {
        let before = workload();
        let mut object = before.clone();
        let told = told("env/sidecar/REGION").unwrap();
        let places = told.places_in("/w", &object);
        assert_eq!(places[0].get(&object), None);
        places[0].set(&mut object, Some(told.value.shown(&places[0])));
        assert_ne!(object, before);
        places[0].set(&mut object, None);
        assert_eq!(object, before);
    }

    #[test]
    fn a_secret_never_stands_in_a_workload() {
        let secrets = BTreeMap::from([("db".to_owned(), Secret::new("hunter2"))]);
        let setting = Setting::Secret { secret: "db".to_owned() };
        let told = Told::read("env/web/DATABASE_URL", &setting, &secrets).unwrap();
        let place = &told.places_in("/w", &workload())[0];
        let shown = told.value.shown(place).to_string();
        assert!(!shown.contains("hunter2") && shown.contains("secretKeyRef"), "{shown}");
        assert!(!format!("{told:?}").contains("hunter2"));
    }

    #[test]
    fn whoever_mounts_a_config_map_reads_it() {
        assert!(reads(&workload(), "configmap", "app"));
        assert!(!reads(&workload(), "configmap", "other"));
        assert!(!reads(&workload(), "secret", "app"));
    }

    #[test]
    fn what_is_no_setting_is_refused_with_the_forms_that_are() {
        for written in ["DATABASE_URL", "env/", "configmap/app", "secret/../x", "file/a/b"] {
            assert!(told(written).unwrap_err().message().contains("write env/NAME"), "{written}");
        }
    }
}
