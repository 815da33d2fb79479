//! The configuration as a plan writes it, read with all its mistakes and their places.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use dr_core::resource::{ConfigError, SecretRef};
use dr_core::time::parse_duration;
use dr_core::{Region, Side};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::access::Access;
use crate::reader::{Reader, join};

/// A configuration that makes sense.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) sides: BTreeMap<Side, SideConfig>,
    pub(crate) workloads: Selection,
    pub(crate) kinds: Vec<String>,
    pub(crate) secrets: BTreeMap<String, SecretRef>,
    pub(crate) address: Option<Service>,
    pub(crate) fence: FenceConfig,
    pub(crate) owners: Owners,
    pub(crate) field_manager: String,
    pub(crate) registries: BTreeMap<String, Region>,
    pub(crate) capacity: Capacity,
    pub(crate) limits: Limits,
    pub(crate) unschedulable_after: Duration,
}

/// One side: a namespace of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct SideConfig {
    pub(crate) access: Access,
    pub(crate) region: Region,
    pub(crate) namespace: String,
    /// What the cluster is called in a claim.
    pub(crate) cluster: String,
}

/// How long one call may take.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) connect: Duration,
    pub(crate) request: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(15), request: Duration::from_secs(30) }
    }
}

/// Which workloads of the namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// All of the kinds.
    All,
    /// Those, by name.
    Names(Vec<String>),
    /// Those with these labels.
    Labels(String),
}

/// A service of a namespace, or of the side's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
}

/// What a fence does beside scaling to zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FenceConfig {
    pub(crate) cronjobs: CronJobs,
    pub(crate) except: BTreeSet<String>,
    pub(crate) network_policy: bool,
}

/// Which CronJobs a fence suspends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CronJobs {
    /// Those that the selection of workloads covers; with names of workloads, all of the namespace.
    Covered,
    /// None: somebody knows that they do not write.
    None,
    /// Those, by name.
    Names(Vec<String>),
}

/// What happens if somebody else owns what would be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Owners {
    /// The step is refused, with the owner's name.
    Refuse,
    /// The owner is paused, and goes on again when the step is undone.
    Pause,
}

/// What it means if the nodes have no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Capacity {
    /// A warning: nodes may be added in the meantime.
    Warn,
    /// The run stops before its first effect.
    Block,
}

/// The document, for the schema. Reading is done field by field, so that every mistake is told.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Kubernetes")]
#[expect(dead_code, reason = "it is the schema; what it says is read field by field")]
struct Document {
    /// The namespace on every side that does not name its own.
    namespace: Option<String>,
    /// For each side the context of the kubeconfig. A side's name is its region's.
    contexts: Option<BTreeMap<String, String>>,
    /// The same at length, where a side's region or namespace differs or the account of a pod is used.
    sides: Option<BTreeMap<String, SideDocument>>,
    /// The kubeconfig. Default: the files of KUBECONFIG, else ~/.kube/config, as kubectl reads them.
    kubeconfig: Option<String>,
    /// Which workloads: `all` of the namespace, a list of names, or a label selector. Default: all.
    workloads: Option<SelectionDocument>,
    /// Which kinds of workloads, by plural name, `rollouts.argoproj.io` with its group. Any with a scale subresource.
    /// Default: deployments and statefulsets.
    kinds: Option<Vec<String>>,
    /// Secrets that `configure` may set, by a name of your own: { db_url: "${env:DB_URL}" }.
    secrets: Option<BTreeMap<String, String>>,
    /// Where a side is entered: the load balancer of this service.
    address: Option<AddressDocument>,
    /// What `fence` does beside scaling to zero.
    fence: Option<FenceDocument>,
    /// What happens if Argo CD, Flux, KEDA or a roll-out owns what would be changed. Default: refuse.
    owners: Option<Owners>,
    /// The field manager under which changes are made. Default: dr.
    field_manager: Option<String>,
    /// In which region an image registry lives, by host name, where the name does not say it.
    registries: Option<BTreeMap<String, String>>,
    /// Whether too little room on the nodes stops a run or is a warning. Default: warn.
    capacity: Option<Capacity>,
    /// How long it may take to reach an API server. Default: 15s.
    connect_timeout: Option<String>,
    /// How long an API server may take to answer one call. Default: 30s.
    request_timeout: Option<String>,
    /// How long a pod may find no node before that counts as a failure. Default: 1m.
    unschedulable_after: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Side")]
#[expect(dead_code, reason = "it is the schema")]
struct SideDocument {
    /// The context of the kubeconfig.
    context: Option<String>,
    /// Use the service account of the pod that `dr` runs in.
    in_cluster: Option<bool>,
    /// Its region. Default: the side's name.
    region: Option<String>,
    /// Its namespace.
    namespace: Option<String>,
    /// What the cluster is called in a claim, where another machine gives the context another name.
    cluster: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Workloads")]
#[expect(dead_code, reason = "it is the schema")]
enum SelectionDocument {
    /// `all`.
    All(AllWord),
    /// By name: `web`, or `statefulset/db`.
    Names(Vec<String>),
    /// By labels.
    Labels(SelectorDocument),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum AllWord {
    All,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Selector")]
#[expect(dead_code, reason = "it is the schema")]
struct SelectorDocument {
    /// As `kubectl get -l` takes it: `app=shop,tier!=batch`.
    selector: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Address")]
#[expect(dead_code, reason = "it is the schema")]
struct AddressDocument {
    /// `name`, or `namespace/name`.
    service: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Fence")]
#[expect(dead_code, reason = "it is the schema")]
struct FenceDocument {
    /// Which CronJobs are suspended: `all`, `none` or a list of names. Default: all that the workloads' selection covers.
    cronjobs: Option<CronJobsDocument>,
    /// What may go on running because it does not write: `daemonset/log-shipper`.
    except: Option<Vec<String>>,
    /// Also deny the pods of the namespace every way out. It proves nothing by itself: without a network plug-in that
    /// enforces it, a policy does nothing. Default: false.
    network_policy: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "CronJobs")]
#[expect(dead_code, reason = "it is the schema")]
enum CronJobsDocument {
    Word(CronJobsWord),
    Names(Vec<String>),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum CronJobsWord {
    All,
    None,
}

/// The schema, without `kind`.
pub(crate) fn schema() -> Value {
    schemars::SchemaGenerator::default().into_root_schema_for::<Document>().to_value()
}

const FIELDS: [&str; 17] = [
    "namespace",
    "contexts",
    "sides",
    "kubeconfig",
    "workloads",
    "kinds",
    "secrets",
    "address",
    "fence",
    "owners",
    "field_manager",
    "registries",
    "capacity",
    "connect_timeout",
    "request_timeout",
    "unschedulable_after",
    "kind",
];

impl Config {
    /// Reads it. Pure.
    pub(crate) fn read(value: &Value) -> Result<Self, Vec<ConfigError>> {
        let mut reader = Reader::default();
        let config = Self::from(value, &mut reader);
        reader.finish(config)
    }

    fn from(value: &Value, reader: &mut Reader) -> Option<Self> {
        let fields = reader.object(value, "", &FIELDS)?;
        let namespace: Option<String> = reader.take(fields, "", "namespace");
        if let Some(namespace) = &namespace {
            reader.name("/namespace", namespace);
        }
        let file: Option<String> = reader.take(fields, "", "kubeconfig");
        let file = file.map(PathBuf::from);
        let mut sides = BTreeMap::new();
        let before = reader.count();
        match (fields.get("contexts"), fields.get("sides")) {
            (Some(_), Some(_)) => reader.fault("/contexts", "give either `contexts` or `sides`"),
            (Some(contexts), None) => {
                for (name, value) in reader.entries(contexts, "/contexts") {
                    let at = join("/contexts", name);
                    if let Some(context) = reader.value::<String>(value, &at) {
                        let side = SideRead { context: Some(context), ..SideRead::default() };
                        if let Some(side) = side.done(reader, &at, name, namespace.as_ref(), file.as_ref()) {
                            sides.insert(Side::new(name), side);
                        }
                    }
                }
            }
            (None, Some(all)) => {
                for (name, value) in reader.entries(all, "/sides") {
                    let at = join("/sides", name);
                    let known = ["context", "in_cluster", "region", "namespace", "cluster"];
                    let Some(fields) = reader.object(value, &at, &known) else { continue };
                    let side = SideRead {
                        context: reader.take(fields, &at, "context"),
                        in_cluster: reader.take(fields, &at, "in_cluster").unwrap_or(false),
                        region: reader.take(fields, &at, "region"),
                        namespace: reader.take(fields, &at, "namespace"),
                        cluster: reader.take(fields, &at, "cluster"),
                    };
                    if let Some(side) = side.done(reader, &at, name, namespace.as_ref(), file.as_ref()) {
                        sides.insert(Side::new(name), side);
                    }
                }
            }
            (None, None) => reader.fault("/contexts", "missing: for each side the context of its cluster"),
        }
        if sides.is_empty() && reader.count() == before {
            reader.fault("/contexts", "expected at least one side");
        }
        distinct(&sides, reader);
        let time = |reader: &mut Reader, name: &str, default: Duration| {
            let Some(text) = reader.take::<String>(fields, "", name) else { return default };
            match parse_duration(&text) {
                Ok(time) if time >= Duration::from_millis(100) => time,
                Ok(_) => {
                    reader.fault(join("", name), "shorter than 100ms: everything would seem to fail");
                    default
                }
                Err(message) => {
                    reader.fault(join("", name), message);
                    default
                }
            }
        };
        let limits = Limits {
            connect: time(reader, "connect_timeout", Limits::default().connect),
            request: time(reader, "request_timeout", Limits::default().request),
        };
        Some(Self {
            sides,
            workloads: selection(reader, fields.get("workloads")),
            kinds: kinds(reader, fields),
            secrets: secrets(reader, fields.get("secrets")),
            address: address(reader, fields.get("address")),
            fence: fence(reader, fields.get("fence")),
            owners: reader.take(fields, "", "owners").unwrap_or(Owners::Refuse),
            field_manager: field_manager(reader, fields),
            registries: registries(reader, fields.get("registries")),
            capacity: reader.take(fields, "", "capacity").unwrap_or(Capacity::Warn),
            limits,
            unschedulable_after: time(reader, "unschedulable_after", Duration::from_secs(60)),
        })
    }
}

#[derive(Default)]
struct SideRead {
    context: Option<String>,
    in_cluster: bool,
    region: Option<String>,
    namespace: Option<String>,
    cluster: Option<String>,
}

impl SideRead {
    fn done(
        self,
        reader: &mut Reader,
        at: &str,
        name: &str,
        namespace: Option<&String>,
        file: Option<&PathBuf>,
    ) -> Option<SideConfig> {
        let access = match (self.context, self.in_cluster) {
            (Some(context), false) if context.is_empty() => {
                reader.fault(at, "an empty context");
                return None;
            }
            (Some(context), false) => Access::Context { file: file.cloned(), context },
            (None, true) => Access::InCluster,
            (Some(_), true) | (None, false) => {
                reader.fault(at, "give either `context` or `in_cluster: true`");
                return None;
            }
        };
        if let Some(namespace) = &self.namespace {
            reader.name(&join(at, "namespace"), namespace);
        }
        let Some(namespace) = self.namespace.or_else(|| namespace.cloned()) else {
            reader.fault("/namespace", format!("missing: the namespace in {name}"));
            return None;
        };
        let region = Region::new(self.region.unwrap_or_else(|| name.to_owned()));
        let cluster = self.cluster.unwrap_or_else(|| match &access {
            Access::Context { context, .. } => context.clone(),
            // Two plans from two pods of two clusters must not meet; within one region they should.
            Access::InCluster => format!("in-cluster@{region}"),
        });
        Some(SideConfig { access, region, namespace, cluster })
    }
}

fn distinct(sides: &BTreeMap<Side, SideConfig>, reader: &mut Reader) {
    let mut seen: BTreeMap<(&str, &str), &Side> = BTreeMap::new();
    for (side, config) in sides {
        if let Some(other) = seen.insert((&config.cluster, &config.namespace), side) {
            reader.fault(
                join("/contexts", side.as_str()),
                format!("{side} and {other} are the same namespace of the same cluster"),
            );
        }
    }
}

fn selection(reader: &mut Reader, value: Option<&Value>) -> Selection {
    let at = "/workloads";
    match value {
        None => Selection::All,
        Some(Value::String(word)) if word == "all" => Selection::All,
        Some(Value::Array(_)) => {
            let names: Vec<String> = value.and_then(|value| reader.value(value, at)).unwrap_or_default();
            if names.is_empty() {
                reader.fault(at, "an empty list: nothing would be done");
            }
            let mut seen = BTreeSet::new();
            for (index, name) in names.iter().enumerate() {
                if !seen.insert(name) {
                    reader.fault(join(at, &index.to_string()), format!("`{name}` stands here twice"));
                }
            }
            Selection::Names(names)
        }
        Some(value @ Value::Object(_)) => {
            let selector = reader
                .object(value, at, &["selector"])
                .and_then(|fields| reader.required::<String>(fields, at, "selector"));
            match selector {
                Some(selector) if selector.trim().is_empty() => {
                    reader.fault(join(at, "selector"), "an empty selector: say `all` if all are meant");
                    Selection::All
                }
                Some(selector) => Selection::Labels(selector),
                None => Selection::All,
            }
        }
        Some(_) => {
            reader.fault(at, "expected `all`, a list of names, or { selector: \"app=shop\" }");
            Selection::All
        }
    }
}

fn kinds(reader: &mut Reader, fields: &serde_json::Map<String, Value>) -> Vec<String> {
    let kinds: Option<Vec<String>> = reader.take(fields, "", "kinds");
    let kinds = kinds.unwrap_or_else(|| vec!["deployments".to_owned(), "statefulsets".to_owned()]);
    if kinds.is_empty() {
        reader.fault("/kinds", "an empty list: nothing would be done");
    }
    for (index, kind) in kinds.iter().enumerate() {
        let at = join("/kinds", &index.to_string());
        match kind.as_str() {
            "daemonsets" | "daemonsets.apps" | "pods" | "jobs" | "cronjobs" => {
                reader.fault(at, format!("{kind} cannot be scaled"));
            }
            kind if kind
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-')
                && !kind.is_empty() => {}
            kind => reader.fault(
                at,
                format!("`{kind}` is no plural name of a kind: write deployments, or rollouts.argoproj.io"),
            ),
        }
    }
    kinds
}

fn secrets(reader: &mut Reader, value: Option<&Value>) -> BTreeMap<String, SecretRef> {
    let mut all = BTreeMap::new();
    for (name, value) in value.map(|value| reader.entries(value, "/secrets")).unwrap_or_default() {
        let at = join("/secrets", name);
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') || name.len() > 40 {
            reader.fault(at.clone(), "a name of letters, digits, `-` and `_`, at most 40");
        }
        match value.as_str().map(SecretRef::new) {
            Some(Ok(reference)) => {
                all.insert(name.clone(), reference);
            }
            Some(Err(message)) => reader.fault(at, message),
            None => reader.fault(at, "expected a reference: ${env:NAME} or ${file:/path}"),
        }
    }
    all
}

fn address(reader: &mut Reader, value: Option<&Value>) -> Option<Service> {
    let at = "/address";
    let fields = reader.object(value?, at, &["service"])?;
    let text: String = reader.required(fields, at, "service")?;
    let (namespace, name) = match text.split_once('/') {
        Some((namespace, name)) => (Some(namespace.to_owned()), name.to_owned()),
        None => (None, text),
    };
    for part in namespace.iter().chain([&name]) {
        reader.name(&join(at, "service"), part);
    }
    Some(Service { namespace, name })
}

fn fence(reader: &mut Reader, value: Option<&Value>) -> FenceConfig {
    let mut config =
        FenceConfig { cronjobs: CronJobs::Covered, except: BTreeSet::new(), network_policy: false };
    let at = "/fence";
    let known = ["cronjobs", "except", "network_policy"];
    let Some(fields) = value.and_then(|value| reader.object(value, at, &known)) else { return config };
    match fields.get("cronjobs") {
        None => {}
        Some(Value::String(word)) if word == "all" => {}
        Some(Value::String(word)) if word == "none" => config.cronjobs = CronJobs::None,
        Some(value @ Value::Array(_)) => {
            config.cronjobs = CronJobs::Names(reader.value(value, &join(at, "cronjobs")).unwrap_or_default());
        }
        Some(_) => reader.fault(join(at, "cronjobs"), "expected `all`, `none` or a list of names"),
    }
    let except: Vec<String> = reader.take(fields, at, "except").unwrap_or_default();
    for (index, name) in except.iter().enumerate() {
        if !name.contains('/') {
            let at = join(&join(at, "except"), &index.to_string());
            reader.fault(at, format!("expected kind and name: `daemonset/{name}`"));
        }
    }
    config.except = except.into_iter().collect();
    config.network_policy = reader.take(fields, at, "network_policy").unwrap_or(false);
    config
}

fn field_manager(reader: &mut Reader, fields: &serde_json::Map<String, Value>) -> String {
    let name: String = reader.take(fields, "", "field_manager").unwrap_or_else(|| "dr".to_owned());
    if name.is_empty() || name.len() > 128 || !name.chars().all(|c| c.is_ascii_graphic()) {
        reader.fault("/field_manager", "expected 1 to 128 printable characters");
    }
    name
}

fn registries(reader: &mut Reader, value: Option<&Value>) -> BTreeMap<String, Region> {
    let entries = value.map(|value| reader.entries(value, "/registries")).unwrap_or_default();
    entries
        .into_iter()
        .filter_map(|(host, value)| {
            let region: String = reader.value(value, &join("/registries", host))?;
            Some((host.clone(), Region::new(region)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wrong(config: &Value) -> Vec<String> {
        let errors = Config::read(config).err().unwrap_or_default();
        errors.into_iter().map(|error| format!("{}: {}", error.pointer, error.message)).collect()
    }

    #[test]
    fn the_short_form_is_two_contexts_and_a_namespace() {
        let config = Config::read(&json!({
            "kind": "kubernetes", "namespace": "production",
            "contexts": { "us-east-1": "prod-us", "eu-central-1": "prod-eu" },
        }))
        .unwrap();
        assert_eq!(config.sides.len(), 2);
        assert_eq!(config.sides["us-east-1"].region.as_str(), "us-east-1");
        assert_eq!(config.workloads, Selection::All);
        assert_eq!(config.owners, Owners::Refuse);
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let told = wrong(&json!({
            "namespace": "Production",
            "contexts": { "east": "a", "west": 7 },
            "workloads": [],
            "kinds": ["daemonsets"],
            "secrets": { "db": "hunter2" },
            "address": { "service": "a/b/c" },
            "fence": { "except": ["shipper"] },
            "owners": "fight",
            "request_timeout": "1ms",
            "replicas": 3,
        }));
        let places: Vec<&str> = told.iter().filter_map(|text| text.split(':').next()).collect();
        for place in [
            "/namespace",
            "/contexts/west",
            "/workloads",
            "/kinds/0",
            "/secrets/db",
            "/address/service",
            "/fence/except/0",
            "/owners",
            "/request_timeout",
            "/replicas",
        ] {
            assert!(places.contains(&place), "{place} is not among {told:#?}");
        }
        assert!(!told.iter().any(|text| text.contains("hunter2")), "a secret is repeated");
    }

    #[test]
    fn one_namespace_cannot_be_two_sides() {
        let told = wrong(&json!({ "namespace": "p", "contexts": { "east": "a", "west": "a" } }));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("the same namespace of the same cluster"), "{told:?}");
    }

    #[test]
    fn a_side_may_be_the_cluster_that_we_run_in() {
        let config = Config::read(&json!({ "sides": {
            "blue": { "in_cluster": true, "region": "eu-central-1", "namespace": "blue" },
            "green": { "context": "g", "region": "eu-central-1", "namespace": "green" },
        } }))
        .unwrap();
        assert!(matches!(config.sides["blue"].access, Access::InCluster));
        assert_eq!(config.sides["green"].namespace, "green");
    }

    #[test]
    fn the_schema_names_every_field_that_is_read() {
        let schema = schema();
        let named: BTreeSet<&str> =
            schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        let read: BTreeSet<&str> = FIELDS.into_iter().filter(|field| *field != "kind").collect();
        assert_eq!(named, read);
    }
}
