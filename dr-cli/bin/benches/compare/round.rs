//! One way in a world of its own: the source is lost, the command runs, and callers tell what they saw.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::crowd::{BOOK, Crowd};
use crate::running::Running;
use crate::signpost::Signpost;
use crate::support::{SOURCE, TARGET};
use crate::way::{TTL, Way};
use crate::world::{World, app};

/// How long a region that is back may take to come up as whatever it comes up as.
const COMING_BACK: Duration = Duration::from_secs(5);

/// What came of it.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    /// From the loss to the command's start: the probers notice, for both ways in the same way.
    pub(crate) noticed: Duration,
    /// From the command's start to the record's move.
    pub(crate) turned: Duration,
    /// First failed answer of any caller to the moment from which all are served.
    pub(crate) outage: Duration,
    /// The same for the caller in the middle.
    pub(crate) of_the_median: Duration,
    /// The same for a caller who asks for the name each time.
    pub(crate) of_the_forgetful: Duration,
    /// The command, from its start to its exit.
    pub(crate) whole: Duration,
    pub(crate) acknowledged: usize,
    pub(crate) lost: usize,
    /// How many databases take writes once the lost region is back.
    pub(crate) writable: usize,
}

pub(crate) fn run(way: Way, args: &Args) -> Figures {
    let world = World::with_ttl(TTL);
    let (port, servers) = (app(&world.state, SOURCE).port(), world.aws.name_servers());
    let crowd = Crowd::begin(port, &servers, Duration::from_secs(TTL.into()));
    crowd.is_served();

    let mut command = way.command(&world, args.ask_source);
    let signpost = Signpost::watch(servers, app(&world.state, TARGET).ip());
    let lost = Instant::now();
    world.lose(args.loss.fault());
    let noticed = lost.elapsed();

    let log = world.sandbox.beside("said.log");
    let began = Instant::now();
    let (code, whole) = Running::begin(&mut command, &log).end();
    if !way.good().contains(&code) {
        panic!("{way} ended with {code}:\n{}", std::fs::read_to_string(log).unwrap_or_default());
    }
    if args.show {
        println!("{}", std::fs::read_to_string(log).unwrap_or_default());
    }
    crowd.is_served();
    let turned = signpost.turned() - began;
    let seen = crowd.ends();
    let kept = rows(&world);

    let guard = way.guard(&world, args.loss);
    let guard = guard.map(|mut guard| Running::begin(&mut guard, &world.sandbox.beside("guard.log")));
    world.heal();
    if let Some(guard) = guard {
        let (code, _) = guard.end();
        assert_eq!(code, 0, "the guard's exit code");
    }
    std::thread::sleep(COMING_BACK);
    Figures {
        noticed,
        turned,
        outage: seen.outage,
        of_the_median: seen.outages[seen.outages.len() / 2],
        of_the_forgetful: seen.of_the_forgetful,
        whole,
        acknowledged: seen.acknowledged.len(),
        lost: seen.acknowledged.difference(&kept).count(),
        writable: world.seen().writable.len(),
    }
}

/// The callers' rows in the database that callers now reach.
fn rows(world: &World) -> BTreeSet<u64> {
    let rows = world.sandbox.asked(TARGET, &format!("select row from dr_ledger where book = '{BOOK}'"));
    rows.lines().map(|row| row.parse().unwrap()).collect()
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times =
            [self.noticed, self.turned, self.of_the_forgetful, self.of_the_median, self.outage, self.whole];
        let [noticed, turned, forgetful, median, outage, whole] = times.map(|time| time.as_secs_f64());
        write!(
            f,
            "noticed after {noticed:.1} s, record moved after {turned:.1} s more; outage without a cache {forgetful:.1} s, \
             of the median caller {median:.1} s, of all {outage:.1} s; the command took {whole:.1} s; {} of {} \
             acknowledged writes lost; {} writable in the end",
            self.lost, self.acknowledged, self.writable
        )
    }
}
