//! An example plan, fitted to a world: what is tested is what is shown.
//!
//! Addresses, names, the way to a server's control and TTLs are the world's. Nothing else may differ, above all no phase, no
//! budget and no measurement: only the configurations of resources and the state store's place can be reached from here.

use std::path::{Path, PathBuf};

use dr_core::plan::{Format, Plan};
use serde_json::Value;

/// A plan of `examples/plans`.
pub(crate) struct Fitted(Plan);

impl Fitted {
    pub(crate) fn example(name: &str) -> Self {
        let path = examples().join(name);
        let plan = Plan::read(&std::fs::read(&path).unwrap(), Format::Yaml);
        Self(plan.unwrap_or_else(|findings| panic!("{}: {findings:?}", path.display())))
    }

    /// The state store's place: a folder of this machine.
    pub(crate) fn state(mut self, at: &Path) -> Self {
        at.to_str().unwrap().clone_into(&mut self.0.state.at);
        self.0.state.local = true;
        self
    }

    /// Whether the plan has that resource.
    pub(crate) fn has(&self, resource: &str) -> bool {
        self.0.resources.keys().any(|name| name.as_str() == resource)
    }

    /// Another value in the place of one that stands in the example.
    pub(crate) fn set(mut self, resource: &str, pointer: &str, value: impl Into<Value>) -> Self {
        let spec = self.0.resources.get_mut(resource).unwrap_or_else(|| panic!("no resource {resource}"));
        let old = spec.config.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer} in {resource}"));
        *old = value.into();
        self
    }

    /// An address that the example leaves to the system.
    pub(crate) fn add(mut self, resource: &str, within: &str, key: &str, value: impl Into<Value>) -> Self {
        let spec = self.0.resources.get_mut(resource).unwrap_or_else(|| panic!("no resource {resource}"));
        let map = spec.config.pointer_mut(within).and_then(Value::as_object_mut).unwrap();
        assert!(map.insert(key.to_owned(), value.into()).is_none(), "{resource}{within} has {key} already");
        self
    }

    pub(crate) fn write(&self, path: &Path) {
        std::fs::write(path, self.0.to_yaml()).unwrap();
    }
}

/// The folder of the example plans.
pub(crate) fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/plans")
}
