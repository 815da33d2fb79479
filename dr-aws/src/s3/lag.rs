//! How far a replica is behind: S3's own metrics, else the word of each object.
//!
//! A metric's sample is a minute old or more when it can be read, and nothing is known of what came since: the lag is
//! the sample and its age together. So a limit below two minutes is never met by metrics; a marker that is written and
//! timed end to end meets it.

use std::time::Duration;

use aws_sdk_s3::types::{Object, ReplicationStatus};
use dr_core::resource::{Cx, Hazard};
use dr_core::{Error, Result, Timestamp};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::buckets::Place;
use super::config::S3Plan;
use super::rules::{Rules, blocking, remark};
use crate::metric::{Metric, newest};

/// Older samples say nothing of now.
const SAMPLED_WITHIN: Duration = Duration::from_secs(30 * 60);
/// Up to as many objects are asked one by one.
const ASKED: i32 = 250;

/// What is known of a replica's lag.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Behind {
    /// At most so far behind. `None`: not known.
    pub(super) lag: Option<Duration>,
    pub(super) hazards: Vec<Hazard>,
}

/// How far what `rules` replicates to `to` is behind `from`.
pub(super) async fn behind(
    cx: &Cx,
    plan: &S3Plan,
    from: &Place<'_>,
    to: &Place<'_>,
    rules: &Rules,
) -> Behind {
    if let (true, Some(rule)) = (rules.measured, &rules.rule)
        && let Ok(Some(lag)) = measured(cx, from, to, rule).await
    {
        return Behind { lag: Some(lag), hazards: Vec::new() };
    }
    match asked(cx, plan, from).await {
        Ok(behind) => behind,
        Err(error) => unknown(format!("how far it is behind is not known: {error}")),
    }
}

fn unknown(why: String) -> Behind {
    Behind { lag: None, hazards: vec![remark("lag-unknown", why)] }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html>, in the source bucket's region.
async fn measured(cx: &Cx, from: &Place<'_>, to: &Place<'_>, rule: &str) -> Result<Option<Duration>> {
    let dimensions =
        [("SourceBucket", &*from.bucket.name), ("DestinationBucket", &*to.bucket.name), ("RuleId", rule)];
    let metric = Metric {
        namespace: "AWS/S3".to_owned(),
        name: "ReplicationLatency".to_owned(),
        dimensions: dimensions.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        period: Duration::from_secs(60),
    };
    let sample = newest(cx, from.aws, &from.bucket.region, &metric, SAMPLED_WITHIN).await?;
    Ok(sample.and_then(|sample| {
        let latency = Duration::try_from_secs_f64(sample.most).ok()?;
        Some(latency.saturating_add(cx.now().since(sample.begun)))
    }))
}

/// What the objects of a small bucket say, each of itself.
async fn asked(cx: &Cx, plan: &S3Plan, from: &Place<'_>) -> Result<Behind> {
    let s3 = from.s3();
    let listed = from
        .reads("s3:ListBucket")
        .ask(cx, || {
            s3.list_objects_v2().bucket(&from.bucket.name).prefix(&plan.prefix).max_keys(ASKED).send()
        })
        .await?;
    if listed.is_truncated.unwrap_or(true) {
        return Ok(unknown(format!(
            "how far it is behind is not known: {} has no fresh metrics, and more than {ASKED} objects to ask",
            from.shown()
        )));
    }
    let own = plan.own();
    let keys: Vec<&str> =
        listed.contents().iter().filter_map(Object::key).filter(|key| !key.starts_with(&own)).collect();
    let asking: Vec<_> = keys.into_iter().map(|key| status(cx, from, key)).collect();
    let said: Vec<Said> = stream::iter(asking).buffer_unordered(plan.at_once).try_collect().await?;
    Ok(judge(&said, cx.now()))
}

/// What one object says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    key: String,
    status: Option<ReplicationStatus>,
    modified: Option<Timestamp>,
}

async fn status(cx: &Cx, from: &Place<'_>, key: &str) -> Result<Said> {
    let s3 = from.s3();
    let head = from
        .reads("s3:GetObject")
        .ask(cx, || s3.head_object().bucket(&from.bucket.name).key(key).send())
        .await
        .map_err(|error| Error::from(error).on(from.object(key)))?;
    let modified = head.last_modified.and_then(|at| at.to_millis().ok()).map(Timestamp::from_millis);
    Ok(Said { key: key.to_owned(), status: head.replication_status, modified })
}

fn judge(said: &[Said], now: Timestamp) -> Behind {
    let with = |is: fn(&ReplicationStatus) -> bool| {
        said.iter().filter(move |said| said.status.as_ref().is_some_and(is)).collect::<Vec<_>>()
    };
    let failed = with(|status| *status == ReplicationStatus::Failed);
    if let Some(first) = failed.first() {
        let text = format!("{} objects could not be replicated, {} among them", failed.len(), first.key);
        return Behind { lag: None, hazards: vec![blocking("replication-failed", text)] };
    }
    let known = with(|status| {
        matches!(
            status,
            ReplicationStatus::Completed
                | ReplicationStatus::Complete
                | ReplicationStatus::Replica
                | ReplicationStatus::Pending
        )
    });
    if known.len() < said.len() {
        let left = said.iter().find(|said| !known.contains(said)).map_or("?", |said| said.key.as_str());
        let text = format!(
            "{} objects were never replicated, {left} among them: they are older than the rule (S3 Batch Replication \
             brings them over)",
            said.len() - known.len()
        );
        return Behind { lag: None, hazards: vec![blocking("not-replicated", text)] };
    }
    let pending = with(|status| *status == ReplicationStatus::Pending);
    let since: Option<Vec<Timestamp>> = pending.iter().map(|said| said.modified).collect();
    match since {
        // Pending, and nobody knows since when.
        None => unknown("an object that is being replicated does not say since when".to_owned()),
        Some(since) => {
            let lag = since.into_iter().min().map_or(Duration::ZERO, |since| now.since(since));
            Behind { lag: Some(lag), hazards: Vec::new() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::versions::tests::at;

    fn said(key: &str, status: Option<ReplicationStatus>, second: i64) -> Said {
        Said { key: key.to_owned(), status, modified: Some(at(second)) }
    }

    #[test]
    fn the_oldest_that_is_pending_says_how_far_it_is_behind() {
        let behind = judge(
            &[
                said("a", Some(ReplicationStatus::Completed), 0),
                said("b", Some(ReplicationStatus::Pending), 10),
                said("c", Some(ReplicationStatus::Pending), 20),
            ],
            at(40),
        );
        assert_eq!(behind.lag, Some(Duration::from_secs(30)));
    }

    #[test]
    fn only_when_every_object_is_over_nothing_is_behind() {
        let over = said("a", Some(ReplicationStatus::Completed), 0);
        assert_eq!(judge(std::slice::from_ref(&over), at(9)).lag, Some(Duration::ZERO));
        for (other, code) in [
            (said("b", Some(ReplicationStatus::Failed), 0), "replication-failed"),
            (said("b", None, 0), "not-replicated"),
            (said("b", Some(ReplicationStatus::from("SOON")), 0), "not-replicated"),
        ] {
            let behind = judge(&[over.clone(), other], at(9));
            assert_eq!((behind.lag, behind.hazards[0].code.as_str()), (None, code));
        }
        let undated = Said { modified: None, ..said("b", Some(ReplicationStatus::Pending), 0) };
        assert_eq!(judge(&[over, undated], at(9)).lag, None);
    }
}
