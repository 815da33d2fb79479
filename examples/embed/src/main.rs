//! Another program embeds `dr-core`: it runs a plan on resources of its own and draws its own progress.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use dr_core::check::{Subject, check};
use dr_core::engine::{Drive, Driven, Hooks, Means};
use dr_core::event::{Actor, Began, Entry, Event, FORMAT, Mode};
use dr_core::journal::MemoryJournal;
use dr_core::model::{ModelBackend, Pace, World};
use dr_core::plan::{Finding, Format, OnFailure, Plan, Severity};
use dr_core::resource::{Connect, Redactor, Roles, Secret, SecretRef, SecretSource, Urgency};
use dr_core::runbook::{Binding, Runbook, compile};
use dr_core::{Backends, Configured, Env, Error, ErrorKind, ResourceName, async_trait};

const PLAN: &str = r#"
schema: dr/v1
name: orders
source: east
target: west
budget: { rto: 1m }
resources:
  orders: { kind: model, name: orders }
  shop: { kind: model, name: shop }
phases:
  - { name: promote, within: 20s, steps: [ { fence: orders }, { promote: orders } ] }
  - { name: scale_up, within: 20s, after: [], steps: [ { scale: shop, in: target, replicas: 3 } ] }
"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let world =
        World::new(["east", "west"]).at_pace(Pace { look: Duration::from_millis(5), ..Pace::default() });
    world.store("orders");
    world.workloads("shop", &["web", "api"], 3);
    let driven = carry_over(&Backends::new().with(ModelBackend::new(&world)), std::io::stdout()).await?;
    writeln!(std::io::stdout(), "{:?}: {}", driven.end, driven.text)?;
    Ok(())
}

/// Reads, checks, connects and runs the plan, drawing to `screen`.
async fn carry_over(backends: &Backends, screen: impl Write + Send + 'static) -> anyhow::Result<Driven> {
    // The plan is a value; up to here and through the checks nothing is connected to.
    let plan = Plan::parse(PLAN, Format::Yaml).map_err(told)?;
    let mut configured: BTreeMap<ResourceName, Arc<dyn Configured>> = BTreeMap::new();
    for (name, spec) in &plan.resources {
        let backend = backends.get(&spec.kind).with_context(|| format!("no backend for {}", spec.kind))?;
        match backend.configure(spec.config.clone()) {
            Ok(one) => configured.insert(name.clone(), Arc::from(one)),
            Err(errors) => bail!("{name}: {errors:?}"),
        };
    }
    let roles = Roles { source: "east".into(), target: "west".into() };
    let script = compile(&plan, &configured, &roles).map_err(told)?;
    let urgency = Urgency::Planned;
    let subject = Subject { plan: &plan, script: &script, configured: &configured, roles: &roles, urgency };
    let findings = check(&subject);
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(told(findings));
    }

    // From here on there are servers: connect, and give each step its action.
    let (env, redactor) = (Env::system(), Redactor::default());
    let mut resources = BTreeMap::new();
    for (name, one) in &configured {
        let connected = one.connect(&Connect::new(&NoSecrets, &redactor, &env.clock())).await;
        resources.insert(name.clone(), connected.with_context(|| format!("connecting {name}"))?);
    }
    let runbook = Runbook::bind(script.clone(), resources, &Binding::new(roles.clone())).map_err(told)?;

    // The first event holds everything that the run is going to be.
    let began = Began {
        run: env.run_id(),
        format: FORMAT,
        tool: "embed".to_owned(),
        mode: Mode::Switchover,
        urgency,
        on_failure: OnFailure::Undo,
        actor: Actor { name: "embed".to_owned(), from: "another program".to_owned() },
        plan: plan.name.clone(),
        plan_hash: plan.hash.clone(),
        roles,
        budget: plan.budget.clone(),
        outages: Vec::new(),
        losses: Vec::new(),
        identities: configured.values().flat_map(|one| one.identities()).collect(),
        overrides: Vec::new(),
        emulated: BTreeMap::new(),
        outage_since: None,
        outage_declared: false,
        detected: None,
        script,
    };
    let progress = Mutex::new(Progress { done: 0, of: began.script.steps.len(), screen });
    let hooks = Hooks::default()
        .with_listener(move |entry| progress.lock().unwrap_or_else(PoisonError::into_inner).draw(entry));
    let means = Means { journal: Box::new(MemoryJournal::new()), env, redactor, hooks };
    Ok(Drive::begin(began, runbook, means).await?.run().await)
}

/// This program's own view of a run: a bar, and what each step left.
struct Progress<W> {
    done: usize,
    of: usize,
    screen: W,
}

impl<W: Write> Progress<W> {
    fn draw(&mut self, entry: &Entry) {
        let line = match &entry.event {
            Event::Started { step, .. } => format!("{step} …"),
            Event::Succeeded { step, applied, .. } => {
                self.done += 1;
                format!("{step}: {}", applied.said)
            }
            Event::Failed { step, failure, .. } => format!("{step} failed: {}", failure.text),
            _ => return,
        };
        let bar = "█".repeat(self.done) + &"░".repeat(self.of - self.done);
        // A screen that is gone does not stop the run.
        let _ = writeln!(self.screen, "{bar} {:>5} ms  {line}", entry.elapsed_ms);
    }
}

/// Models have no passwords. A real program asks its vault here.
#[derive(Debug)]
struct NoSecrets;

#[async_trait]
impl SecretSource for NoSecrets {
    async fn fetch(&self, _reference: &SecretRef) -> dr_core::Result<Secret> {
        Err(Error::new(ErrorKind::NotFound, "there are no secrets here"))
    }
}

fn told(findings: Vec<Finding>) -> anyhow::Error {
    let lines: Vec<String> =
        findings.iter().map(|finding| format!("{}: {}", finding.place, finding.message)).collect();
    anyhow::anyhow!(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dr_core::engine::DriveEnd;
    use dr_core::event::Ending;

    #[tokio::test]
    async fn the_program_moves_the_store_and_the_fleet() {
        let world = World::new(["east", "west"]);
        let (orders, shop) = (world.store("orders"), world.workloads("shop", &["web"], 3));
        let driven =
            carry_over(&Backends::new().with(ModelBackend::new(&world)), std::io::sink()).await.unwrap();
        assert_eq!(
            driven.end,
            DriveEnd::Ended(Ending::Recovered),
            "nobody follows the new primary: {}",
            driven.text
        );
        assert_eq!((orders.writable(), shop.ready("west")["web"]), (vec!["west".into()], 3));
        assert_eq!(world.violations(), []);
    }
}
