//! Asking AWS: the one policy for repeats.
//!
//! | what came back | a call that reads | a call that changes |
//! |---|---|---|
//! | throttled | again, with growing pauses, while there is time | the same: it is told before anything is done |
//! | no connection | twice more | the same: nothing was sent |
//! | no answer, a broken connection, 5xx | twice more | **not again**: the caller reads the world first |
//! | anything else | returned | returned |
//!
//! Everything ends with the call's deadline. Beyond that the engine repeats the step by its error's class.
//!
//! ```text
//! let client = aws.rds(&region);
//! let found = Op::reads("rds:DescribeDBInstances")
//!     .at(&region)
//!     .ask(cx, || client.describe_db_instances().db_instance_identifier(id).send())
//!     .await;
//! match found {
//!     Err(error) if error.is("DBInstanceNotFound") => …,   // codes, with or without `Fault`
//!     other => other?,                                     // into dr_core::Error, classified
//! }
//! ```

use std::error::Error as StdError;
use std::time::Duration;

use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use dr_core::Region;
use dr_core::resource::Cx;
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::Instant;

use crate::error::{AwsError, Why};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often a call is made that fails in a way that may pass.
const TRIES: u32 = 3;
/// How much of the deadline is kept for saying what was seen.
const TO_SPARE: Duration = Duration::from_millis(50);

/// A call as policies and errors name it.
#[derive(Debug, Clone)]
pub(crate) struct Op {
    /// The permission that it needs: `route53:ChangeResourceRecordSets`.
    pub(crate) permission: &'static str,
    /// Whether it may change anything.
    pub(crate) changes: bool,
    /// Where it is sent.
    pub(crate) region: Region,
}

impl Op {
    /// A call that only reads; in us-east-1 until [`Op::at`] says otherwise.
    pub(crate) fn reads(permission: &'static str) -> Self {
        Self { permission, changes: false, region: Region::new(crate::needs::US_EAST_1) }
    }

    /// A call that may change something.
    pub(crate) fn changes(permission: &'static str) -> Self {
        Self { permission, changes: true, region: Region::new(crate::needs::US_EAST_1) }
    }

    /// Makes the call by `send`, and again where the table above says so, until shortly before the deadline.
    pub(crate) async fn ask<T, E, F>(self, cx: &Cx, send: impl Fn() -> F) -> Result<T, AwsError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let end = latest(cx);
        let mut pause = FIRST_PAUSE;
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.once(cx, end, send()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let again = error.is_throttled() || (error.is_passing() && error.did_nothing() && tries < TRIES);
            let pausing = jittered(pause).max(error.after().unwrap_or_default());
            if !again || Instant::now() + pausing >= end {
                return Err(error);
            }
            cx.progress.say(format!("{self}: {error}; asking again"));
            tokio::select! {
                biased;
                () = cx.cancel.cancelled() => return Err(AwsError::new(self, Why::Stopped)),
                () = tokio::time::sleep(pausing) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn once<T, E, F>(&self, cx: &Cx, end: Instant, call: F) -> Result<T, AwsError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let begun = Instant::now();
        tokio::select! {
            biased;
            () = cx.cancel.cancelled() => Err(AwsError::new(self.clone(), Why::Stopped)),
            answered = tokio::time::timeout_at(end, call) => match answered {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(error)) => Err(AwsError::of(self.clone(), &error, begun.elapsed())),
                Err(_) => Err(AwsError::new(self.clone(), Why::Silent(begun.elapsed()))),
            },
        }
    }
}

/// The moment by which asking has to end, so that what was learnt can still be said.
pub(crate) fn latest(cx: &Cx) -> Instant {
    cx.deadline.checked_sub(TO_SPARE.min(cx.left() / 4)).unwrap_or(cx.deadline)
}

/// A pause give or take a quarter, so that many who wait do not ask at once.
pub(crate) fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::make_rng::<StdRng>().random_range(0.75..1.25))
}
