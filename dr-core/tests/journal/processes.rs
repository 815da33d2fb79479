//! Ownership between real processes: this test binary starts itself again.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use dr_core::journal::{Durability, Filesystem, Journal as _, JournalError, LocalJournal};

use crate::support::{actor, entries, entry};

/// A process that ends with its test.
struct Owner {
    child: Child,
    says: BufReader<ChildStdout>,
}

impl Owner {
    /// Starts this binary again as the child below; `shell` runs before it.
    fn start(folder: &Path, task: &str, shell: &str) -> Self {
        let binary = std::env::current_exe().unwrap();
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(format!("{shell} exec \"$0\" \"$@\""))
            .arg(binary)
            .args(["--exact", "processes::the_other_process", "--nocapture", "--test-threads=1"])
            .env("JOURNAL_FOLDER", folder)
            .env("JOURNAL_TASK", task)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(child.stdout.take().unwrap());
        Self { child, says }
    }

    /// The rest of the next line that begins with `word`; the process's end is an error.
    fn hear(&mut self, word: &str) -> Option<String> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.says.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some((_, rest)) = line.trim_end().split_once(word) {
                return Some(rest.trim().to_owned());
            }
        }
    }

    fn kill(mut self) -> u64 {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let mut rest = String::new();
        self.says.read_to_string(&mut rest).unwrap();
        rest.lines().filter_map(|line| line.strip_prefix("durable ")?.parse().ok()).next_back().unwrap_or(0)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test of its own: what the other process does.
#[tokio::test]
async fn the_other_process() {
    let (Ok(folder), Ok(task)) = (std::env::var("JOURNAL_FOLDER"), std::env::var("JOURNAL_TASK")) else {
        return;
    };
    let folder = Path::new(&folder);
    let me = actor("the other process");
    match task.as_str() {
        "append" => {
            let mut journal = LocalJournal::create(folder, &me, Filesystem::Any).unwrap();
            println!("\nowned");
            let begun = Instant::now();
            let mut seq = 1;
            while begun.elapsed() < Duration::from_secs(30) {
                journal.append(&entries(seq, seq + 2, 1), Durability::Barrier).await.unwrap();
                println!("durable {}", seq + 2);
                seq += 3;
            }
        }
        "own" => match LocalJournal::own(folder, &me, Filesystem::Any) {
            Ok(_taken) => {
                println!("\nresult owned");
                // Holds it until its parent lets go.
                let _ = std::io::stdin().read_to_end(&mut Vec::new());
            }
            Err(error) => println!("\nresult refused {error}"),
        },
        "fill" => {
            let mut journal = LocalJournal::create(folder, &me, Filesystem::Any).unwrap();
            for seq in 1..10_000 {
                let long = entry(seq, 1, &"x".repeat(1000));
                if let Err(error) = journal.append(&[long], Durability::Barrier).await {
                    println!("\nfull {} {}", seq - 1, error.into_error().chain());
                    return;
                }
            }
        }
        other => panic!("{other}?"),
    }
}

/// P27: SIGKILL in the middle of appends.
#[tokio::test]
async fn a_killed_owner_leaves_the_lock_free_and_every_durable_event() {
    let home = tempfile::tempdir().unwrap();
    let mut other = Owner::start(home.path(), "append", "");
    other.hear("owned").unwrap();
    let refused = LocalJournal::own(home.path(), &actor("bob"), Filesystem::Any).unwrap_err();
    assert!(matches!(&refused, JournalError::Lost { to } if to.contains("the other process")), "{refused}");
    while other.hear("durable").unwrap().parse::<u64>().unwrap() < 30 {}
    let durable = other.kill();
    let mut taken = LocalJournal::own(home.path(), &actor("bob"), Filesystem::Any).unwrap();
    let last = taken.lines.len() as u64;
    assert!(last >= durable.max(30) && last.is_multiple_of(3) && taken.epoch == 2);
    taken.journal.append(&entries(last + 1, last + 1, 2), Durability::Barrier).await.unwrap();
    assert_eq!(LocalJournal::read_only(home.path()).unwrap().lines.len() as u64, last + 1);
}

#[tokio::test]
async fn of_many_processes_that_want_a_run_one_owns_it() {
    let home = tempfile::tempdir().unwrap();
    drop(LocalJournal::create(home.path(), &actor("alice"), Filesystem::Any).unwrap());
    let mut others: Vec<Owner> = (0..6).map(|_| Owner::start(home.path(), "own", "")).collect();
    let results: Vec<String> = others.iter_mut().map(|other| other.hear("result").unwrap()).collect();
    assert_eq!(results.iter().filter(|result| *result == "owned").count(), 1, "{results:?}");
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_leaves_nothing_half_written() {
    let home = tempfile::tempdir().unwrap();
    // A limit on the size of files: the signal is ignored, so that the write fails as it does on a full disk.
    let mut other = Owner::start(home.path(), "fill", "trap '' XFSZ; ulimit -f 40;");
    let said = other.hear("full").unwrap();
    assert!(said.contains("append to") && said.contains("journal.ndjson"), "{said}");
    let written: usize = said.split(' ').next().unwrap().parse().unwrap();
    let chain = LocalJournal::read_only(home.path()).unwrap();
    assert!(written > 5 && chain.lines.len() == written, "{said}");
    drop(other);
    let taken = LocalJournal::own(home.path(), &actor("bob"), Filesystem::Any).unwrap();
    assert_eq!(taken.lines.len(), written);
}
