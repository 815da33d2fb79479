//! From a path to something that can run: the plan read, its resources configured, the script compiled and checked,
//! and, for what needs it, everything connected.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use dr_core::check::{self, Subject};
use dr_core::plan::{Finding, Format, Plan, Severity};
use dr_core::resource::{Connect, Redactor, Roles, Urgency};
use dr_core::runbook::{Script, compile};
use dr_core::{Backends, Configured, Env, Resource, ResourceName, Side};

use crate::args::PlanArgs;
use crate::exit::Exit;
use crate::problem::{Outcome, Problem};
use crate::secrets::EnvironmentAndFiles;
use crate::snippet;

/// Far more than any plan may have.
const MOST_BYTES: u64 = 16 << 20;

/// A plan whose resources' configurations make sense.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// Where it was read.
    pub path: String,
    /// The plan.
    pub plan: Plan,
    /// Its resources, not connected.
    pub configured: BTreeMap<ResourceName, Arc<dyn Configured>>,
}

/// Reads a plan. What is wrong with it has been shown when this fails.
pub(crate) fn load(backends: &Backends, path: &Path) -> Outcome<Loaded> {
    let shown = path.display().to_string();
    let bytes = read_some(path).map_err(|error| {
        Problem::new(Exit::Plan, format!("the plan {shown} cannot be read: {error}"))
            .help("name it: `dr check my-plan.yaml`, or set DR_PLAN")
    })?;
    load_bytes(backends, &bytes, Format::of_path(path).unwrap_or(Format::Yaml), shown)
}

/// As much of a file as tells that it is too long for a plan, even if it never ends.
fn read_some(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The same from bytes: a run keeps the plan it began with.
pub(crate) fn load_bytes(backends: &Backends, bytes: &[u8], format: Format, path: String) -> Outcome<Loaded> {
    let text = String::from_utf8_lossy(bytes);
    let refuse = |findings: Vec<Finding>| {
        let blocking = snippet::show(&findings, &path, &text);
        refused(blocking, &findings, &path)
    };
    let plan = Plan::read(bytes, format).map_err(refuse)?;
    let configured = check::configure(&plan, backends).map_err(refuse)?;
    Ok(Loaded { path, plan, configured })
}

/// How much there is to mend, and how to live with a warning.
pub(crate) fn refused(blocking: usize, findings: &[Finding], path: &str) -> Problem {
    let told = match blocking {
        1 => format!("1 finding blocks {path}"),
        many => format!("{many} findings block {path}"),
    };
    let problem = Problem::new(Exit::Plan, told);
    let is_warning = |finding: &&Finding| finding.severity == Severity::Warning;
    match findings.iter().filter(|finding| finding.blocks()).find(is_warning) {
        Some(warning) => problem.help(format!(
            "a warning is acknowledged in the plan, with a reason: acknowledge: [{{ code: {}, reason: … }}]",
            warning.code
        )),
        None => problem,
    }
}

impl Loaded {
    /// Which side plays what: as the arguments say, else as the plan says.
    pub(crate) fn roles(&self, args: &PlanArgs, back: bool) -> Outcome<Roles> {
        let planned = self.plan.source.clone().zip(self.plan.target.clone());
        let planned = planned.map(|(source, target)| {
            let roles = Roles { source, target };
            if back { roles.swapped() } else { roles }
        });
        let from = args.from.as_deref().map(Side::new).or(planned.as_ref().map(|roles| roles.source.clone()));
        let to = args.to.as_deref().map(Side::new).or(planned.map(|roles| roles.target));
        let (Some(source), Some(target)) = (from, to) else {
            return Err(Problem::new(Exit::Usage, "the plan names no source and target").help(format!(
                "say --from REGION --to REGION; its resources know: {}",
                self.sides().join(", ")
            )));
        };
        if source == target {
            return Err(Problem::new(Exit::Usage, format!("source and target are both `{source}`")));
        }
        for side in [&source, &target] {
            if !self.sides().contains(&side.to_string()) {
                return Err(Problem::new(Exit::Usage, format!("no resource lives on `{side}`"))
                    .help(format!("they live on: {}", self.sides().join(", "))));
            }
        }
        Ok(Roles { source, target })
    }

    /// What of its resources is not the real system.
    pub(crate) fn emulated(&self) -> BTreeMap<ResourceName, String> {
        let told = self.configured.iter().map(|(name, one)| (name.clone(), one.emulated()));
        told.filter_map(|(name, what)| Some((name, what?))).collect()
    }

    fn sides(&self) -> Vec<String> {
        let mut sides: Vec<String> = self
            .configured
            .values()
            .flat_map(|one| one.sides().into_keys())
            .map(|side| side.to_string())
            .collect();
        sides.sort();
        sides.dedup();
        sides
    }

    /// The script for these roles, and everything that the checks found.
    pub(crate) fn check(
        &self,
        roles: &Roles,
        urgency: Urgency,
    ) -> Result<(Script, Vec<Finding>), Vec<Finding>> {
        let script = compile(&self.plan, &self.configured, roles)?;
        let subject =
            Subject { plan: &self.plan, script: &script, configured: &self.configured, roles, urgency };
        let findings = check::check(&subject);
        Ok((script, findings))
    }

    /// The same, for a run: what blocks has been shown and ends the command, unless it is overridden by its code.
    pub(crate) fn checked(&self, roles: &Roles, urgency: Urgency, overrides: &[String]) -> Outcome<Script> {
        let (script, findings) = self.check(roles, urgency).map_err(|findings| self.refuse(&findings))?;
        let blocking: Vec<Finding> = findings
            .into_iter()
            .filter(Finding::blocks)
            .filter(|finding| !(finding.severity == Severity::Warning && overrides.contains(&finding.code)))
            .collect();
        if blocking.is_empty() { Ok(script) } else { Err(self.refuse(&blocking)) }
    }

    fn refuse(&self, findings: &[Finding]) -> Problem {
        let blocking = snippet::show(findings, &self.path, &self.plan.text);
        refused(blocking, findings, &self.path)
    }

    /// Connects every resource. None of it waits for a side to answer.
    pub(crate) async fn connect(
        &self,
        env: &Env,
        redactor: &Redactor,
    ) -> Outcome<BTreeMap<ResourceName, Resource>> {
        let mut resources = BTreeMap::new();
        for name in self.configured.keys() {
            resources.insert(name.clone(), self.connect_one(name, env, redactor).await?);
        }
        Ok(resources)
    }

    /// Connects one of them.
    pub(crate) async fn connect_one(
        &self,
        name: &ResourceName,
        env: &Env,
        redactor: &Redactor,
    ) -> Outcome<Resource> {
        let clock = env.clock();
        let connect = Connect::new(&EnvironmentAndFiles, redactor, &clock);
        let Some(configured) = self.configured.get(name) else {
            return Err(Problem::refused(format!("there is no resource `{name}`")));
        };
        configured.connect(&connect).await.map_err(|error| {
            Problem::refused(format!("{name} cannot be connected: {}", redactor.redact(&error.chain())))
        })
    }
}
