//! Waiting until a described thing is in a state.

use std::time::Duration;

use dr_core::resource::Cx;
use dr_core::{Error, ErrorKind, Result, Retry};
use tokio::time::Instant;

use crate::asking::{jittered, latest};

/// What one look found.
#[derive(Debug)]
pub(crate) enum Look<T> {
    /// It is so.
    Done(T),
    /// Not yet; this is what it says instead, as a fragment: `orders-eu is modifying`.
    Not(String),
}

/// How often is looked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    first: Duration,
    longest: Duration,
}

impl Pace {
    /// For what takes seconds: a change of records, a health check.
    pub(crate) const QUICK: Self =
        Self { first: Duration::from_millis(200), longest: Duration::from_secs(2) };
    /// For what takes minutes: a promotion, a node group, a snapshot.
    pub(crate) const STEADY: Self =
        Self { first: Duration::from_millis(500), longest: Duration::from_secs(10) };
}

/// Looks until it is so. Every new word is said as progress; an error that may pass counts as a look that saw nothing,
/// and its own wish for a pause is heeded; any other ends the waiting. The last look is made as long before the deadline as
/// the first pause is, however long the pauses have become.
///
/// # Errors
/// At the deadline `NotReady` with the last word, or the last error if no look ever saw anything.
pub(crate) async fn until<T, F: Future<Output = Result<Look<T>>>>(
    cx: &Cx,
    what: &str,
    pace: Pace,
    mut look: impl FnMut() -> F,
) -> Result<T> {
    let end = latest(cx);
    let mut pause = pace.first;
    let mut said: Option<String> = None;
    let mut failed: Option<Error> = None;
    loop {
        let mut least = Duration::ZERO;
        match tokio::time::timeout_at(end, look()).await {
            Ok(Ok(Look::Done(value))) => return Ok(value),
            Ok(Ok(Look::Not(says))) => {
                if said.as_ref() != Some(&says) {
                    cx.progress.say(format!("{what}: {says}"));
                    said = Some(says);
                }
            }
            Ok(Err(error)) => match error.retry() {
                Retry::Transient { after } => {
                    cx.progress.say(format!("{what}: {error}; looking again"));
                    least = after.unwrap_or_default();
                    failed = Some(error);
                }
                Retry::Permanent => return Err(error),
            },
            Err(_) => {}
        }
        let room = end.saturating_duration_since(Instant::now()).saturating_sub(pace.first);
        if room.is_zero() || least > room {
            return Err(match (said, failed) {
                (Some(said), _) => {
                    Error::new(ErrorKind::NotReady, format!("not so within the deadline: {said}"))
                        .during(what)
                }
                (None, Some(error)) => error,
                (None, None) => {
                    Error::new(ErrorKind::Timeout, "nothing was seen within the deadline").during(what)
                }
            });
        }
        tokio::select! {
            biased;
            () = cx.cancel.cancelled() => {
                return Err(Error::new(ErrorKind::Cancelled, "the run was told to stop").during(what));
            }
            () = tokio::time::sleep(jittered(pause).max(least).min(room)) => {}
        }
        pause = pause.mul_f64(1.5).min(pace.longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn cx(seconds: u64) -> Cx {
        Cx::new("20270115T080000Z-waiting".into(), "phase/wait".into(), Duration::from_secs(seconds))
    }

    #[tokio::test(start_paused = true)]
    async fn it_looks_until_it_is_so_and_forgives_what_passes() {
        let (cx, looks) = (cx(60), Cell::new(0));
        let seen = until(&cx, "change", Pace::QUICK, async || {
            looks.set(looks.get() + 1);
            match looks.get() {
                1 => Ok(Look::Not("pending".to_owned())),
                2 => Err(Error::new(ErrorKind::Throttled, "rate exceeded")),
                _ => Ok(Look::Done(looks.get())),
            }
        });
        assert_eq!(seen.await.unwrap(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_the_deadline_and_the_last_word() {
        let begun = Instant::now();
        let error =
            until(&cx(30), "change", Pace::QUICK, async || Ok(Look::<()>::Not("still pending".to_owned())))
                .await
                .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotReady);
        assert!(error.to_string().contains("still pending"), "{error}");
        assert!(begun.elapsed() <= Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_look_is_made_shortly_before_the_deadline() {
        for seconds in [1, 2, 10, 30, 31, 32, 33, 34, 35] {
            let (cx, begun, last) = (cx(seconds), Instant::now(), Cell::new(Duration::ZERO));
            let waited = until(&cx, "change", Pace::STEADY, async || {
                last.set(begun.elapsed());
                Ok(Look::<()>::Not("still pending".to_owned()))
            });
            waited.await.unwrap_err();
            let before_the_end = Duration::from_secs(seconds) - last.get();
            assert!(before_the_end <= Duration::from_millis(551), "{before_the_end:?} before {seconds} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_pass_ends_it_at_once() {
        let begun = Instant::now();
        let error = until(&cx(30), "change", Pace::QUICK, async || {
            Err::<Look<()>, _>(Error::new(ErrorKind::NotFound, "no such change"))
        })
        .await
        .unwrap_err();
        assert_eq!((error.kind(), begun.elapsed()), (ErrorKind::NotFound, Duration::ZERO));
    }
}
