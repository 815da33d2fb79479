//! A run from a few lines of plan, on any resources: what engine tests and crash harnesses start from.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dr_core::engine::{Drive, Driven, Hooks, Means, Message, News};
use dr_core::event::{Actor, Began, Entry, FORMAT, Mode, Override, Request, RunState};
use dr_core::journal::{Journal, JournalError, MemoryDisk, MemoryJournal};
use dr_core::model::{ModelBackend, World};
use dr_core::plan::{Format, OnFailure, Plan};
use dr_core::resource::{Action, Backend, Configured, Redactor, Resource, Roles, Urgency};
use dr_core::runbook::{Binding, Runbook, Script, Watchers, compile};
use dr_core::{ResourceName, StepId, Timestamp};
use tokio::sync::{mpsc, watch};

use crate::decorate::Schedule;

type Wrap = dyn Fn(&StepId, Arc<dyn Action>) -> Arc<dyn Action> + Send + Sync;
type Hooked = dyn Fn(Hooks) -> Hooks + Send + Sync;

/// A plan on a [`World`], with everything that a drive is given.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use dr_core::engine::DriveEnd;
/// use dr_core::event::Ending;
/// use dr_core::model::{Pace, World};
/// use dr_testkit::Rig;
/// use std::time::Duration;
///
/// let quick = Pace { fence: Duration::ZERO, promote: Duration::ZERO, ..Pace::default() };
/// let world = World::new(["east", "west"]).at_pace(quick);
/// let orders = world.store("orders");
/// let plan = "phases: [ { name: move, steps: [ { fence: orders }, { promote: orders } ] } ]";
/// let run = Rig::new(&world, plan).run().await;
/// assert_eq!(run.driven.end, DriveEnd::Ended(Ending::Recovered), "nobody follows the new primary yet");
/// assert_eq!(orders.writable(), ["west".into()]);
/// # }
/// ```
pub struct Rig {
    world: World,
    plan: Plan,
    began: Began,
    watchers: Option<Arc<dyn Watchers>>,
    wrap: Option<Arc<Wrap>>,
    hooked: Option<Arc<Hooked>>,
    redactor: Redactor,
    disk: MemoryDisk,
    resources: BTreeMap<ResourceName, Resource>,
}

/// Speaks to a drive.
#[derive(Debug, Clone)]
pub struct Controls {
    messages: mpsc::UnboundedSender<Message>,
    news: mpsc::UnboundedSender<News>,
    interrupts: Arc<watch::Sender<u32>>,
}

/// What a run left.
#[derive(Debug)]
pub struct Run {
    /// What the drive says.
    pub driven: Driven,
    /// What the journal says.
    pub entries: Vec<Entry>,
}

impl Rig {
    /// A planned switchover of a world's first side to its second. `rest` is a plan without its head: the resources
    /// are the world's, by their names.
    ///
    /// # Panics
    /// If the plan cannot be read or compiled: a test's own mistake.
    #[expect(clippy::panic, reason = "a test's own mistake is told at once")]
    pub fn new(world: &World, rest: &str) -> Self {
        let resources = world.resources();
        let named: Vec<String> =
            resources.keys().map(|name| format!("  {name}: {{ kind: model, name: {name} }}")).collect();
        let text = format!("schema: dr/v1\nname: rig\nresources:\n{}\n{rest}", named.join("\n"));
        let plan =
            Plan::parse(&text, Format::Yaml).unwrap_or_else(|findings| panic!("{findings:#?}\n{text}"));
        let backend = ModelBackend::new(world);
        let configured: BTreeMap<ResourceName, Arc<dyn Configured>> = plan
            .resources
            .iter()
            .map(|(name, spec)| match backend.configure(spec.config.clone()) {
                Ok(configured) => (name.clone(), Arc::from(configured)),
                Err(errors) => panic!("{errors:#?}"),
            })
            .collect();
        let sides: Vec<_> =
            configured.values().next().map(|one| one.sides()).unwrap_or_default().into_keys().collect();
        let [source, target, ..] = sides.as_slice() else { panic!("a world needs two sides") };
        let roles = Roles { source: source.clone(), target: target.clone() };
        let script = compile(&plan, &configured, &roles).unwrap_or_else(|findings| panic!("{findings:#?}"));
        let began = began(&plan, roles, script);
        Self {
            world: world.clone(),
            plan,
            began,
            watchers: None,
            wrap: None,
            hooked: None,
            redactor: Redactor::default(),
            disk: MemoryDisk::default(),
            resources,
        }
    }

    /// As a failover: unplanned, holding where it fails.
    #[must_use]
    pub fn unplanned(mut self) -> Self {
        self.began.mode = Mode::Failover;
        self.began.urgency = Urgency::Unplanned;
        self.began.on_failure = OnFailure::Hold;
        self
    }

    /// As a dry run.
    #[must_use]
    pub fn dry(mut self) -> Self {
        self.began.mode = Mode::DryRun;
        self
    }

    /// Anything else about the first event.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Began)) -> Self {
        change(&mut self.began);
        self
    }

    /// The other way round: the target of the world's first side.
    #[must_use]
    pub fn overriding(mut self, gate: &str) -> Self {
        self.began.overrides.push(Override { gate: gate.to_owned(), reason: "told to".to_owned() });
        self
    }

    /// Who else hears whether a side is silent.
    #[must_use]
    pub fn watched_by(mut self, watchers: Arc<dyn Watchers>) -> Self {
        self.watchers = Some(watchers);
        self
    }

    /// Every action decorated, outside of what decorates it already.
    #[must_use]
    pub fn wrapped(
        mut self,
        wrap: impl Fn(&StepId, Arc<dyn Action>) -> Arc<dyn Action> + Send + Sync + 'static,
    ) -> Self {
        self.wrap = Some(match self.wrap.take() {
            Some(inner) => Arc::new(move |step: &StepId, action| wrap(step, inner(step, action))),
            None => Arc::new(wrap),
        });
        self
    }

    /// These calls in trouble.
    #[must_use]
    pub fn in_trouble(self, schedule: &Schedule) -> Self {
        let schedule = schedule.clone();
        self.wrapped(move |step, action| schedule.on(step, action))
    }

    /// Another run of the same plan on the same world, decorated as this one, with a journal of its own.
    #[must_use]
    pub fn again(&self) -> Self {
        Self {
            world: self.world.clone(),
            plan: self.plan.clone(),
            began: self.began.clone(),
            watchers: self.watchers.clone(),
            wrap: self.wrap.clone(),
            hooked: self.hooked.clone(),
            redactor: self.redactor.clone(),
            disk: MemoryDisk::default(),
            resources: self.resources.clone(),
        }
    }

    /// Further hooks of each drive: who listens to it, who ends its measuring.
    #[must_use]
    pub fn hooked(mut self, hooks: impl Fn(Hooks) -> Hooks + Send + Sync + 'static) -> Self {
        self.hooked = Some(Arc::new(hooks));
        self
    }

    /// What masks secrets.
    #[must_use]
    pub fn redacted_by(mut self, redactor: &Redactor) -> Self {
        self.redactor = redactor.clone();
        self
    }

    /// Where its journal is. It outlives the drives.
    pub fn disk(&self) -> &MemoryDisk {
        &self.disk
    }

    /// The plan's hash, as an approver sees it.
    pub fn plan_hash(&self) -> &str {
        &self.plan.hash
    }

    /// The bound script.
    pub fn script(&self) -> &Script {
        &self.began.script
    }

    /// The world it runs in.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Runs it to the drive's end.
    pub async fn run(&self) -> Run {
        let (drive, _controls) = self.begin().await;
        self.rest(drive).await
    }

    /// Goes on with it to the next drive's end.
    pub async fn resume(&self) -> Run {
        let (drive, _controls) = self.begin_again().await;
        self.rest(drive).await
    }

    /// Drives to the end, and reads the journal.
    pub async fn rest(&self, drive: Drive) -> Run {
        let driven = drive.run().await;
        Run { driven, entries: self.entries() }
    }

    /// A first drive, begun.
    ///
    /// # Panics
    /// If the first event cannot be written.
    #[expect(clippy::panic, reason = "a test's own mistake is told at once")]
    pub async fn begin(&self) -> (Drive, Controls) {
        let (journal, _, _) = self.own();
        match self.begin_on(Box::new(journal)).await {
            Ok(begun) => begun,
            Err(error) => panic!("{error}"),
        }
    }

    /// A first drive on a journal of your own.
    ///
    /// # Errors
    /// If its first event cannot be written.
    pub async fn begin_on(&self, journal: Box<dyn Journal>) -> Result<(Drive, Controls), JournalError> {
        let (means, controls) = self.means(journal);
        let drive = Drive::begin(self.began.clone(), self.runbook(), means).await?;
        Ok((drive, controls))
    }

    /// A further drive, begun.
    ///
    /// # Panics
    /// If the journal cannot be read, or holds no run.
    #[expect(clippy::panic, reason = "a test's own mistake is told at once")]
    pub async fn begin_again(&self) -> (Drive, Controls) {
        match self.go_on(|journal| Box::new(journal)).await {
            Ok(begun) => begun,
            Err(error) => panic!("{error}"),
        }
    }

    /// The next drive, on the journal as `with` makes it: the first, where nothing was written yet.
    ///
    /// # Errors
    /// If its first event cannot be written.
    pub(crate) async fn go_on(
        &self,
        with: impl FnOnce(MemoryJournal) -> Box<dyn Journal>,
    ) -> Result<(Drive, Controls), JournalError> {
        let (journal, state, epoch) = self.own();
        let journal = with(journal);
        let Some(state) = state else { return self.begin_on(journal).await };
        let (means, controls) = self.means(journal);
        Ok((Drive::resume(state, actor(), epoch, self.runbook(), means).await?, controls))
    }

    /// The run as its journal says; `None` before its first event.
    pub fn state(&self) -> Option<RunState> {
        self.own().1
    }

    /// The journal's entries.
    ///
    /// # Panics
    /// If the journal is damaged.
    #[expect(clippy::panic, reason = "a test's own mistake is told at once")]
    pub fn entries(&self) -> Vec<Entry> {
        match self.disk.own() {
            Ok((_, lines, _)) => lines.into_iter().map(|line| line.entry).collect(),
            Err(error) => panic!("{error}"),
        }
    }

    #[expect(clippy::panic, reason = "a test's own mistake is told at once")]
    fn own(&self) -> (MemoryJournal, Option<RunState>, u64) {
        let owned = self.disk.own().map(|(journal, lines, epoch)| {
            let entries: Vec<Entry> = lines.into_iter().map(|line| line.entry).collect();
            (journal, RunState::replay(&entries), epoch)
        });
        match owned {
            Ok((journal, Ok(state), epoch)) => (journal, state, epoch),
            Ok((_, Err(illegal), _)) => panic!("{illegal}"),
            Err(error) => panic!("{error}"),
        }
    }

    #[expect(clippy::panic, reason = "a test's own mistake is told at once")]
    fn runbook(&self) -> Runbook {
        let mut binding = Binding::new(self.began.roles.clone()).since(self.began.outage_since);
        if let Some(watchers) = &self.watchers {
            binding = binding.watched_by(Arc::clone(watchers));
        }
        let runbook = Runbook::bind(self.began.script.clone(), self.resources.clone(), &binding)
            .unwrap_or_else(|findings| panic!("{findings:#?}"));
        match &self.wrap {
            Some(wrap) => {
                let wrap = Arc::clone(wrap);
                runbook.wrapped(move |step, action| wrap(step, action))
            }
            None => runbook,
        }
    }

    fn means(&self, journal: Box<dyn Journal>) -> (Means, Controls) {
        let (messages, heard) = mpsc::unbounded_channel();
        let (news, learnt) = mpsc::unbounded_channel();
        let (interrupts, interrupted) = watch::channel(0);
        let hooks = Hooks::default().with_messages(heard).with_news(learnt).with_interrupts(interrupted);
        let hooks = self.hooked.iter().fold(hooks, |hooks, more| more(hooks));
        let means = Means { journal, env: self.world.env(7), redactor: self.redactor.clone(), hooks };
        (means, Controls { messages, news, interrupts: Arc::new(interrupts) })
    }
}

impl Controls {
    /// Asks something of the run.
    pub fn ask(&self, request: Request) {
        let message = Message { request, actor: actor(), reason: "told to".to_owned() };
        // A drive that is over hears nothing, which is what the caller then sees.
        let _ = self.messages.send(message);
    }

    /// Tells it what was seen beside it.
    pub fn tell(&self, news: News) {
        let _ = self.news.send(news);
    }

    /// Interrupts it.
    pub fn interrupt(&self) {
        self.interrupts.send_modify(|count| *count += 1);
    }
}

impl Run {
    /// How often something happened.
    pub fn count(&self, is: impl Fn(&dr_core::event::Event) -> bool) -> usize {
        self.entries.iter().filter(|entry| is(&entry.event)).count()
    }

    /// Where a step stands at the end.
    ///
    /// # Panics
    /// If the script has no such step.
    #[expect(clippy::panic, reason = "a test's own mistake is told at once")]
    pub fn step(&self, id: &str) -> &dr_core::event::StepState {
        let steps = &self.driven.state.steps;
        steps.get(id).unwrap_or_else(|| panic!("no step {id} among {:?}", steps.keys().collect::<Vec<_>>()))
    }

    /// The journal as text, one event a line, to be shown where a test fails.
    pub fn story(&self) -> String {
        self.entries
            .iter()
            .map(|entry| {
                let text = serde_json::to_string(&entry.event).unwrap_or_default();
                format!(
                    "{:>4} {:>8} ms {}\n",
                    entry.seq,
                    entry.elapsed_ms,
                    text.chars().take(300).collect::<String>()
                )
            })
            .collect()
    }
}

impl fmt::Debug for Rig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rig").field("plan", &self.plan.name).finish_non_exhaustive()
    }
}

/// Whoever runs tests.
fn actor() -> Actor {
    Actor { name: "tester".to_owned(), from: "the test kit".to_owned() }
}

fn began(plan: &Plan, roles: Roles, script: Script) -> Began {
    Began {
        run: "20270115T080000Z-tester".into(),
        format: FORMAT,
        tool: "dr-testkit".to_owned(),
        mode: Mode::Switchover,
        urgency: Urgency::Planned,
        on_failure: OnFailure::Undo,
        actor: actor(),
        plan: plan.name.clone(),
        plan_hash: plan.hash.clone(),
        roles,
        budget: plan.budget.clone(),
        outages: Vec::new(),
        losses: Vec::new(),
        identities: Vec::new(),
        overrides: Vec::new(),
        emulated: BTreeMap::new(),
        outage_since: None::<Timestamp>,
        outage_declared: false,
        detected: None,
        script,
    }
}

/// Lets everything that is still under way in a world come to its end.
pub async fn settled(world: &World) -> dr_core::model::Snapshot {
    tokio::time::sleep(Duration::from_secs(600)).await;
    world.snapshot()
}
