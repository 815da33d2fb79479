//! The beginning of a sandbox.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use clap::Args;
use dr_core::time::parse_duration;
use dr_core::{Error, ErrorKind, Result, Side, Timestamp};
use rand::RngExt;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::account::Account;
use crate::agent::Ask;
use crate::agent_of;
use crate::dns::Zone;
use crate::fault;
use crate::leash::READY;
use crate::process::Process;
use crate::state::{self, Layout, RECORD, RegionState, SOURCE, State, TARGET, ZONE};
use crate::subnet::{Place, Subnet, free_port};
use crate::{partition, plan, postgres};

/// How long a role may take to serve.
const START: Duration = Duration::from_secs(60);

/// What kind of sandbox is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Up {
    /// For the story without control: the plan accepts the source's silence, and the firewall has to be usable.
    #[arg(long)]
    pub hard: bool,
    /// When everything ends by itself, whatever becomes of the terminal.
    #[arg(long = "for", value_name = "DURATION", default_value = "30m", value_parser = parse_duration)]
    pub lifetime: Duration,
    /// How many orders a second are placed; 0 for no load.
    #[arg(long, value_name = "PER_SECOND", default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub load: u32,
    /// How many processes serve in the source region.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=32))]
    pub source_replicas: u32,
    /// How many processes serve in the target region.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=32))]
    pub target_replicas: u32,
    /// The command to start roles with. Default: this one.
    #[arg(long, hide = true)]
    pub program: Option<PathBuf>,
    /// Further processes of the same command, by their arguments: `["measure", "--keep", …]`. `{dir}` and `{plan}`
    /// stand for the sandbox's folder and its plan. They end with the sandbox.
    #[arg(skip)]
    pub extra_processes: Vec<Vec<String>>,
}

impl Default for Up {
    fn default() -> Self {
        Self {
            hard: false,
            lifetime: Duration::from_secs(30 * 60),
            load: 50,
            source_replicas: 3,
            target_replicas: 1,
            program: None,
            extra_processes: Vec::new(),
        }
    }
}

/// Makes a sandbox. What was begun is taken down again if it fails, or if it is interrupted.
pub(crate) async fn up(layout: &Layout, options: &Up) -> Result<State> {
    vacant(layout)?;
    if options.hard {
        partition::possible().await?;
    }
    let (subnet, claim) = Subnet::claim()?;
    let state = design(layout, options, subnet)?;
    layout.create()?;
    state::write(&layout.state(), &state)?;
    let made = tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => Err(Error::new(ErrorKind::Cancelled, "interrupted")),
        made = make(layout, &state, options, claim.into()) => made,
    };
    match made {
        Ok(()) => Ok(state),
        Err(error) => match crate::down::end(layout, &state).await {
            Ok(()) => Err(error),
            Err(also) => Err(error.with("and what was begun is not all gone", also.chain())),
        },
    }
}

/// Only an empty folder is taken: whatever is in it goes with the sandbox.
fn vacant(layout: &Layout) -> Result<()> {
    let dir = layout.dir();
    if layout.state().exists() {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("there is a sandbox in {} already: `dr sandbox down` ends it", dir.display()),
        )
        .not_happened());
    }
    match fs::read_dir(dir) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Error::refused(format!(
                "{} is not empty, and `dr sandbox down` would remove what is in it: choose another folder",
                dir.display()
            ))),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(fault::at("look into", dir)(error)),
    }
}

fn design(layout: &Layout, options: &Up, subnet: Subnet) -> Result<State> {
    let program = match &options.program {
        Some(program) => program.clone(),
        None => std::env::current_exe().map_err(fault::io("find this command"))?,
    };
    let accounts = Account::for_servers()?;
    let mut rng = rand::rng();
    let id: String = (0..8).map(|_| char::from(rng.random_range(b'a'..=b'z'))).collect();
    // The folder itself is made later: what counts is the way to it.
    let reached = layout
        .dir()
        .parent()
        .is_some_and(|parent| accounts.iter().flatten().all(|account| account.reaches(parent)));
    let data = if reached {
        layout.dir().join("data")
    } else {
        std::env::temp_dir().join(format!("dr-sandbox-{id}"))
    };
    let places =
        [(SOURCE, Place::First, options.source_replicas), (TARGET, Place::Second, options.target_replicas)];
    let inside: Vec<Ipv4Addr> =
        places.iter().flat_map(|(_, place, _)| [1, 5, 10].map(|last| subnet.inside(*place, last))).collect();
    let outside = subnet.outside(53);
    let mut ports = Vec::new();
    for _ in 0..4 {
        ports.push(free_port(&[inside.as_slice(), &[outside]].concat(), &ports)?);
    }
    let [postgres, app, agent, dns] = ports[..] else {
        return Err(Error::new(ErrorKind::Conflict, "too few free ports").not_happened());
    };
    let address = |ip: Ipv4Addr, port: u16| SocketAddr::new(IpAddr::V4(ip), port);
    let regions: BTreeMap<Side, RegionState> = places
        .iter()
        .map(|(name, place, replicas)| {
            let region = RegionState {
                postgres: address(subnet.inside(*place, 5), postgres),
                app: address(subnet.inside(*place, 10), app),
                agent: address(subnet.inside(*place, 1), agent),
                home: data.join(name),
                account: match place {
                    Place::First => accounts[0].clone(),
                    Place::Second => accounts[1].clone(),
                },
                replicas: *replicas,
            };
            (Side::new(*name), region)
        })
        .collect();
    Ok(State::new(
        id,
        program,
        Timestamp::system().plus(options.lifetime),
        subnet,
        postgres::find_programs()?,
        data,
        address(outside, dns),
        regions,
        options.load,
        options.hard,
    ))
}

async fn make(layout: &Layout, state: &State, options: &Up, claim: OwnedFd) -> Result<()> {
    secrets(layout)?;
    if !state.data.starts_with(layout.dir()) {
        // In a folder that everybody may write to, one that is there already is somebody else's.
        fs::create_dir(&state.data).map_err(fault::at("create", &state.data))?;
    }
    state::open_folder(&state.data, 0o755)?;
    let source = state.region(&Side::new(SOURCE))?;
    let mut zone = Zone::new(ZONE);
    if let (IpAddr::V4(shop), IpAddr::V4(server)) = (source.app.ip(), state.dns.ip()) {
        zone.put_address(RECORD, 1, shop);
        zone.put_address(&format!("ns.{ZONE}"), 60, server);
    }
    state::write(&layout.zone(), &zone)?;
    fs::write(layout.plan(), plan::text(layout, state)).map_err(fault::at("write", &layout.plan()))?;
    start(layout, state, "world", &["world"], Stdio::from(claim)).await?;
    postgres::make_homes(layout, state)?;
    for side in state.regions.keys() {
        start_region(layout, state, side).await?;
    }
    make_pair(layout, state).await?;
    if state.load > 0 {
        start(layout, state, "load", &["load"], Stdio::null()).await?;
    }
    for (index, arguments) in options.extra_processes.iter().enumerate() {
        extra(layout, state, &format!("extra-{index}"), arguments)?;
    }
    Ok(())
}

/// Both servers, from nothing to streaming. Each is started by its own region, which then is its parent.
async fn make_pair(layout: &Layout, state: &State) -> Result<()> {
    let [first, second] = [SOURCE, TARGET].map(Side::new);
    let (source, target) = (state.region(&first)?, state.region(&second)?);
    postgres::make_primary(layout, state, source).await?;
    agent_of(layout, state, &first)?.ask(Ask::Heal, START).await?;
    postgres::furnish(layout, source).await?;
    postgres::make_standby(state, target, source).await?;
    agent_of(layout, state, &second)?.ask(Ask::Heal, START).await?;
    for (side, region) in &state.regions {
        let ask = Ask::Scale {
            count: region.replicas,
            within_ms: u64::try_from(START.as_millis()).unwrap_or(u64::MAX),
        };
        agent_of(layout, state, side)?.ask(ask, START).await?;
    }
    Ok(())
}

fn secrets(layout: &Layout) -> Result<()> {
    let mut rng = rand::rng();
    for name in ["dr", "app", "replicator", "agent"] {
        let bytes: [u8; 18] = rng.random();
        layout.make_secret(name, &data_encoding::BASE64URL_NOPAD.encode(&bytes))?;
    }
    let bytes: [u8; 32] = rng.random();
    layout.make_secret("tsig", &data_encoding::BASE64.encode(&bytes))
}

/// Starts a region's agent, with all that it keeps.
pub(crate) async fn start_region(layout: &Layout, state: &State, side: &Side) -> Result<()> {
    let arguments = ["region", "--side", side.as_str()];
    start(layout, state, &format!("region-{side}"), &arguments, Stdio::null()).await
}

/// Starts a role that outlives this command, and returns when it serves.
async fn start(layout: &Layout, state: &State, name: &str, arguments: &[&str], input: Stdio) -> Result<()> {
    let log = layout.log(name);
    let mut child = command(state, &log)?
        .args(["sandbox", "--dir"])
        .arg(layout.dir())
        .args(arguments)
        .stdin(input)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(fault::io(format!("start {}", state.program.display())))?;
    record(layout, name, child.id())?;
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        let read = timeout(START, BufReader::new(out).read_line(&mut line)).await;
        // Whatever it was, the line says it.
        let _ = read;
    }
    if line.trim_end() == READY {
        return Ok(());
    }
    let said = fs::read_to_string(&log).unwrap_or_default();
    Err(Error::new(ErrorKind::Unknown, "it does not start")
        .on(name.to_owned())
        .with("log", fault::tail(&said)))
}

/// Starts a process of somebody else's that ends with the sandbox.
fn extra(layout: &Layout, state: &State, name: &str, arguments: &[String]) -> Result<()> {
    let (dir, plan) = (layout.dir().display().to_string(), layout.plan().display().to_string());
    let arguments = arguments.iter().map(|word| word.replace("{dir}", &dir).replace("{plan}", &plan));
    let child = command(state, &layout.log(name))?
        .args(arguments)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(fault::io(format!("start {}", state.program.display())))?;
    record(layout, name, child.id())
}

fn command(state: &State, log: &Path) -> Result<Command> {
    let log = File::options().create(true).append(true).open(log).map_err(fault::at("open", log))?;
    let mut command = Command::new(&state.program);
    command.current_dir("/").stderr(log);
    Ok(command)
}

fn record(layout: &Layout, name: &str, pid: Option<u32>) -> Result<()> {
    match pid.and_then(Process::of) {
        Some(process) => layout.record(name, process),
        // It is over already; its log says why, and whoever waits for it reads that.
        None => Ok(()),
    }
}
