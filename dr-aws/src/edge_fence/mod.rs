//! A database cut off at its own edge: its security groups replaced by one that lets nobody in, and then every server
//! behind it started anew, for AWS's security groups do not cut connections that are tracked already.
//!
//! | step | why in this order |
//! |---|---|
//! | the groups that are there are noted as tags | whoever takes over knows what to put back |
//! | the fence's group replaces them | nobody new comes in |
//! | the moment is noted at which it was seen active alone | only a restart after it proves anything |
//! | every server is started anew | nobody is left inside |
//! | its events tell of a restart after that moment | the proof, on AWS's own clock |
//!
//! What this rests on, and cannot see: that the fence's group has **no inbound rule** (the rules are EC2's: `aws ec2
//! describe-security-group-rules --filters Name=group-id,Values=sg-…` has to show no `"IsEgress": false`), that nobody
//! opens and closes it in between (RDS tells of that in its events, best effort), and that no job *inside* the database
//! writes (`pg_cron`, MySQL's event scheduler): such a job is no caller and is not cut off. AWS keeps events for 14
//! days; a fence that is older than that is proven again by another restart.
//!
//! Replication to another region goes on: RDS carries it over a channel of its own, not through these groups
//! (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ReadRepl.XRgn.html>). Nothing here counts on it: a
//! planned promotion waits for what it brought.

mod drive;
mod mark;
mod next;
mod view;

use std::collections::BTreeMap;
use std::fmt;

use dr_core::resource::{Cx, FenceHow, FenceProof};
use dr_core::{Result, Side, Timestamp, async_trait};

use crate::database::tags::Tags;

pub(crate) use drive::{fence, fencing, open, put_back, stands};
pub(crate) use mark::Mark;
pub(crate) use view::{EdgeView, Group, Member, Proven};

/// One side's edge, as far as a fence has to do with it.
#[async_trait]
pub(crate) trait Edge: fmt::Debug + Send + Sync {
    /// What it is called in errors: `ecommerce-db in us-east-1`.
    fn name(&self) -> String;

    /// The security group that lets nobody in, if the plan names one.
    fn fence_group(&self) -> Option<&str>;

    /// Looks. Reads only.
    async fn look(&self, cx: &Cx) -> Result<EdgeView>;

    /// Attaches these groups and no others, at once.
    async fn attach(&self, cx: &Cx, groups: &[String]) -> Result<()>;

    /// Starts a server anew.
    async fn restart(&self, cx: &Cx, member: &str) -> Result<()>;

    /// Adds tags to what the groups are attached to.
    async fn tag(&self, cx: &Cx, tags: &Tags) -> Result<()>;

    /// Takes tags off it.
    async fn untag(&self, cx: &Cx, keys: &[&str]) -> Result<()>;
}

/// The proof that a side is cut off since then. It survives a restart: the groups stay attached.
pub(crate) fn proof(side: &Side, since: Timestamp) -> FenceProof {
    FenceProof::new(side.clone(), FenceHow::CutOff, since).surviving(true, false)
}

/// `sg-` and letters or digits.
pub(crate) fn a_security_group(text: &str) -> bool {
    text.strip_prefix("sg-").is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

/// What RDS's events tell of a server: when it was started anew, when its groups were changed.
///
/// "Amazon RDS emits events on a best effort basis": one that is missing proves nothing, which is the safe side.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html>
pub(crate) fn told(
    events: &[aws_sdk_rds::types::Event],
) -> BTreeMap<String, (Vec<Timestamp>, Vec<Timestamp>)> {
    let mut told: BTreeMap<String, (Vec<Timestamp>, Vec<Timestamp>)> = BTreeMap::new();
    for event in events {
        let (Some(of), Some(at)) =
            (event.source_identifier(), event.date().and_then(crate::database::moment))
        else {
            continue;
        };
        let message = event.message().unwrap_or_default().to_ascii_lowercase();
        let (restarts, regrouped) = told.entry(of.to_owned()).or_default();
        // RDS-EVENT-0006; a fail-over in the same region ends every session as well.
        if message.contains("restarted")
            && event.event_categories().iter().any(|category| category == "availability")
        {
            restarts.push(at);
        } else if message.contains("security group") {
            regrouped.push(at);
        }
    }
    for (restarts, regrouped) in told.values_mut() {
        restarts.sort();
        regrouped.sort();
    }
    told
}
