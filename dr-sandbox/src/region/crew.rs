//! The processes of the service, kept at their number.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dr_core::{Error, ErrorKind, Result, Side};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::agent::Staff;
use crate::fault;
use crate::leash::READY;
use crate::state::{Layout, State};

/// How often a process may end in a row before it serves, until that is the verdict.
const TRIES: u32 = 4;
/// How long a process that is not wanted any more may take to finish what it has begun.
const LEAVING: Duration = Duration::from_secs(3);
/// The first pause before another try; it doubles.
const PAUSE: Duration = Duration::from_millis(50);

/// What should run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    count: u32,
    broken: bool,
}

/// A place for one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Post {
    /// A process of the service.
    App(u32),
    /// The writer inside the region.
    Inside,
}

impl Post {
    fn role(self) -> &'static str {
        match self {
            Self::App(_) => "app",
            Self::Inside => "inside",
        }
    }

    fn is_wanted(self, wanted: Wanted) -> bool {
        !wanted.broken
            && match self {
                Self::App(index) => index < wanted.count,
                Self::Inside => true,
            }
    }
}

/// What is in a place.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seat {
    Starting,
    Serving,
    Leaving,
    Failed { times: u32, why: String },
}

/// All of them.
pub(super) struct Crew {
    wanted: watch::Sender<Wanted>,
    seats: Arc<Seats>,
    foreman: Foreman,
    posts: Mutex<u32>,
}

/// Who sits where.
struct Seats {
    taken: Mutex<BTreeMap<Post, Seat>>,
    changed: watch::Sender<()>,
}

/// What a process is started from.
#[derive(Clone)]
struct Foreman {
    layout: Layout,
    state: State,
    side: Side,
}

impl Crew {
    pub(super) fn new(layout: Layout, state: State, side: Side) -> Self {
        let crew = Self {
            wanted: watch::Sender::new(Wanted { count: 0, broken: false }),
            seats: Arc::new(Seats { taken: Mutex::default(), changed: watch::Sender::new(()) }),
            foreman: Foreman { layout, state, side },
            posts: Mutex::new(0),
        };
        crew.man(Post::Inside);
        crew
    }

    /// Wants that many of the service.
    pub(super) fn want(&self, count: u32) {
        let mut posts = self.posts.lock().unwrap_or_else(PoisonError::into_inner);
        for index in *posts..count {
            self.man(Post::App(index));
        }
        *posts = count.max(*posts);
        drop(posts);
        self.seats.forget_failures();
        self.wanted.send_modify(|wanted| wanted.count = count);
    }

    /// Kills them all, and returns when they are gone.
    pub(super) async fn break_down(&self, within: Duration) -> Result<()> {
        self.wanted.send_modify(|wanted| wanted.broken = true);
        let mut changed = self.seats.changed.subscribe();
        let empty = changed.wait_for(|()| self.seats.is_empty());
        match timeout(within, empty).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::new(ErrorKind::Timeout, "some of the service's processes do not end")),
        }
    }

    /// Wants them again.
    pub(super) fn heal(&self) {
        self.seats.forget_failures();
        self.wanted.send_modify(|wanted| wanted.broken = false);
    }

    /// What runs.
    pub(super) fn staff(&self) -> Staff {
        let wanted = *self.wanted.borrow();
        let taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let apps = || taken.iter().filter(|(post, _)| matches!(post, Post::App(_)));
        Staff {
            desired: wanted.count,
            ready: u32::try_from(apps().filter(|(_, seat)| **seat == Seat::Serving).count())
                .unwrap_or(u32::MAX),
            problems: wanted
                .broken
                .then(|| "everything in the region was killed".to_owned())
                .into_iter()
                .chain(apps().filter_map(|(_, seat)| match seat {
                    Seat::Failed { why, .. } => Some(why.clone()),
                    Seat::Starting | Seat::Serving | Seat::Leaving => None,
                }))
                .collect(),
            broken: wanted.broken,
        }
    }

    /// Returns when exactly as many serve as are wanted.
    pub(super) async fn settled(&self, until: Instant) -> Result<Staff> {
        let mut changed = self.seats.changed.subscribe();
        loop {
            changed.mark_unchanged();
            let staff = self.staff();
            if staff.broken {
                return Err(Error::new(ErrorKind::Conflict, "the region was broken meanwhile"));
            }
            if let Some(why) = self.seats.hopeless() {
                return Err(Error::new(ErrorKind::Refused, why).during("start the service"));
            }
            if staff.ready == staff.desired && !self.seats.is_anybody_leaving() {
                return Ok(staff);
            }
            if timeout_at(until, changed.changed()).await.is_err() {
                let text = format!("{} of {} serve", staff.ready, staff.desired);
                return Err(Error::new(ErrorKind::NotReady, text).with("problems", staff.problems.join("; ")));
            }
        }
    }

    fn man(&self, post: Post) {
        // It ends when the crew, and with it the sender, is dropped.
        tokio::spawn(fill(post, self.wanted.subscribe(), Arc::clone(&self.seats), self.foreman.clone()));
    }
}

/// Keeps a process in a place for as long as it is wanted there.
async fn fill(post: Post, mut wanted: watch::Receiver<Wanted>, seats: Arc<Seats>, foreman: Foreman) {
    let mut failures = 0;
    while wanted.wait_for(|wanted| post.is_wanted(*wanted)).await.is_ok() {
        let Some(why) = serve(post, wanted.clone(), &seats, &foreman, &mut failures).await else {
            failures = 0;
            seats.set(post, None);
            continue;
        };
        failures += 1;
        seats.set(post, Some(Seat::Failed { times: failures, why }));
        let mut unwanted = wanted.clone();
        tokio::select! {
            biased;
            _ = unwanted.wait_for(|wanted| !post.is_wanted(*wanted)) => {
                failures = 0;
                seats.set(post, None);
            }
            () = sleep(PAUSE * 2_u32.pow(failures.min(5))) => {}
        }
    }
}

/// Runs one process until it ends, and says why it did; `None` if it was told to.
async fn serve(
    post: Post,
    mut wanted: watch::Receiver<Wanted>,
    seats: &Seats,
    foreman: &Foreman,
    failures: &mut u32,
) -> Option<String> {
    seats.set(post, Some(Seat::Starting));
    let (mut child, out) = match foreman.start(post) {
        Ok(started) => started,
        Err(error) => return Some(error.chain()),
    };
    let leash = child.stdin.take();
    let life = async {
        let mut line = String::new();
        let mut out = BufReader::new(out);
        if matches!(out.read_line(&mut line).await, Ok(1..)) && line.trim_end() == READY {
            *failures = 0;
            seats.set(post, Some(Seat::Serving));
        }
        match child.wait().await {
            Ok(status) => format!("a process ended: {status}: {}", foreman.last_words(post)),
            Err(error) => format!("a process is lost: {error}"),
        }
    };
    tokio::select! {
        biased;
        _ = wanted.wait_for(|wanted| !post.is_wanted(*wanted)) => {}
        why = life => return Some(why),
    }
    // It may finish what it has begun, unless the whole region is to die. Dropped, it is killed.
    seats.set(post, Some(Seat::Leaving));
    drop(leash);
    tokio::select! {
        biased;
        _ = wanted.wait_for(|wanted| wanted.broken) => {}
        _ = timeout(LEAVING, child.wait()) => {}
    }
    None
}

impl Foreman {
    fn log(&self, post: Post) -> PathBuf {
        self.layout.log(&format!("{}.{}", self.side, post.role()))
    }

    /// The end of what processes of that kind wrote to their standard error.
    fn last_words(&self, post: Post) -> String {
        let text = std::fs::read_to_string(self.log(post)).unwrap_or_default();
        text.lines().last().unwrap_or("it said nothing").to_owned()
    }

    fn start(&self, post: Post) -> Result<(Child, ChildStdout)> {
        let role = post.role();
        let log = self.log(post);
        let log = File::options().create(true).append(true).open(&log).map_err(fault::at("open", &log))?;
        let mut child = Command::new(&self.state.program)
            .args(["sandbox", "--dir"])
            .arg(self.layout.dir())
            .args([role, "--side", self.side.as_str()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(fault::io(format!("start {}", self.state.program.display())))?;
        let out =
            child.stdout.take().ok_or_else(|| Error::new(ErrorKind::Unknown, "a child without output"))?;
        Ok((child, out))
    }
}

impl Seats {
    fn set(&self, post: Post, seat: Option<Seat>) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match seat {
            Some(seat) => drop(taken.insert(post, seat)),
            None => drop(taken.remove(&post)),
        }
        drop(taken);
        self.changed.send_replace(());
    }

    fn is_empty(&self) -> bool {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn is_anybody_leaving(&self) -> bool {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.values().any(|seat| *seat == Seat::Leaving)
    }

    /// A process of the service that ended too often to be believed in.
    fn hopeless(&self) -> Option<String> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.iter().find_map(|(post, seat)| match (post, seat) {
            (Post::App(_), Seat::Failed { times, why }) if *times >= TRIES => Some(why.clone()),
            _ => None,
        })
    }

    fn forget_failures(&self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        for seat in taken.values_mut() {
            if matches!(seat, Seat::Failed { .. }) {
                *seat = Seat::Starting;
            }
        }
    }
}
