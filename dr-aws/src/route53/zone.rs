//! A hosted zone through the API: its record sets, changes of them, and its name servers.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_route53::Client;
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ChangeStatus, RrType};
use dr_core::resource::Cx;
use dr_core::{Error, ErrorKind, Result};
use tokio::sync::OnceCell;

use super::entry::Entry;
use super::pace::Pace;
use super::record::{RecordSet, same_sets, shown};
use super::wanted::changed;
use crate::asking::Op;
use crate::dns::{Endpoint, same_name};
use crate::error::AwsError;
use crate::waiting::{self, Look};

/// How much of the deadline is kept for reading the world again after a reply was lost.
const TO_LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The hosted zone of an entry.
#[derive(Debug)]
pub(crate) struct Zone {
    client: Client,
    pace: Arc<Pace>,
    pub(super) entry: Arc<Entry>,
    /// From the plan; else the zone's delegation set, asked for once.
    named: Vec<Endpoint>,
    delegated: OnceCell<Vec<Endpoint>>,
}

/// A change that Route 53 has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Submitted {
    /// By this very call.
    Now(String),
    /// By an earlier one, whose name is not known any more.
    Before,
}

impl Zone {
    pub(crate) fn new(client: Client, pace: Arc<Pace>, entry: Arc<Entry>, named: Vec<Endpoint>) -> Self {
        Self { client, pace, entry, named, delegated: OnceCell::new() }
    }

    /// Whether the plan names the servers, so that they are known without the API.
    pub(super) fn names_its_servers(&self) -> bool {
        !self.named.is_empty()
    }

    /// The servers that answer for the zone.
    pub(crate) async fn name_servers(&self, cx: &Cx) -> Result<&[Endpoint]> {
        if !self.named.is_empty() {
            return Ok(&self.named);
        }
        let asked = self.delegated.get_or_try_init(|| async {
            let found = Op::reads("route53:GetHostedZone")
                .ask(cx, || async {
                    self.pace.turn().await;
                    self.client.get_hosted_zone().id(&self.entry.zone).send().await
                })
                .await
                .map_err(|error| self.vanished(error))?;
            let delegated = found.delegation_set().map(|set| set.name_servers()).unwrap_or_default();
            if delegated.is_empty() {
                return Err(Error::refused(format!(
                    "the zone {} has no name servers of its own, as a private zone has none: name those that answer \
                     for it with `name_servers`",
                    self.entry.zone
                ))
                .on(self.entry.to_string()));
            }
            delegated
                .iter()
                .map(|server| Endpoint::parse(server).map_err(|message| Error::invalid(message).on("delegation set")))
                .collect()
        });
        asked.await.map(Vec::as_slice)
    }

    /// The record sets of the entry's name and type.
    pub(crate) async fn list(&self, cx: &Cx) -> Result<Vec<RecordSet>> {
        let kind = RrType::from(self.entry.kind.as_str());
        let mut found = Vec::new();
        let mut identifier: Option<String> = None;
        loop {
            let page = Op::reads("route53:ListResourceRecordSets")
                .ask(cx, || async {
                    self.pace.turn().await;
                    self.client
                        .list_resource_record_sets()
                        .hosted_zone_id(&self.entry.zone)
                        .start_record_name(&self.entry.name)
                        .start_record_type(kind.clone())
                        .set_start_record_identifier(identifier.clone())
                        .send()
                        .await
                })
                .await
                .map_err(|error| self.vanished(error))?;
            // The listing begins with the name and goes on with others.
            let ours = |name: &str, of: &RrType| same_name(name, &self.entry.name) && *of == kind;
            for set in page.resource_record_sets().iter().filter(|set| ours(&set.name, &set.r#type)) {
                found.push(RecordSet::of(set, self.entry.kind)?);
            }
            let next = page.next_record_name().zip(page.next_record_type());
            let goes_on = page.is_truncated() && next.is_some_and(|(name, of)| ours(name, of));
            let following = page.next_record_identifier().map(str::to_owned);
            if !goes_on || following == identifier {
                return Ok(found);
            }
            identifier = following;
        }
    }

    /// Replaces `from` by `to` in one batch, if the zone still holds exactly `from`: Route 53 deletes only what is given
    /// exactly as it is, and does all of a batch or nothing. Where it is `to` already, nothing is sent.
    pub(crate) async fn swap(&self, cx: &Cx, from: &[RecordSet], to: &[RecordSet]) -> Result<Submitted> {
        let now = self.list(cx).await.map_err(Error::not_happened)?;
        if same_sets(&now, to) {
            return Ok(Submitted::Before);
        }
        if !same_sets(&now, from) {
            return Err(changed(&self.entry, &now, from).not_happened());
        }
        cx.progress.say(format!("asking Route 53 to change {} to {}", self.entry, shown(to)));
        // The zone's own spelling of what is deleted; what stays as it is is left alone.
        let gone: Vec<&RecordSet> = now.iter().filter(|set| !to.contains(set)).collect();
        let new: Vec<&RecordSet> = to.iter().filter(|set| !now.contains(set)).collect();
        let batch = self.batch(cx, &gone, &new)?;
        let sent = cx.within(cx.left().saturating_sub(TO_LOOK_AGAIN.min(cx.left() / 3)));
        let answered = Op::changes("route53:ChangeResourceRecordSets")
            .ask(&sent, || async {
                self.pace.turn().await;
                self.client
                    .change_resource_record_sets()
                    .hosted_zone_id(&self.entry.zone)
                    .change_batch(batch.clone())
                    .send()
                    .await
            })
            .await;
        match answered {
            Ok(answer) => match answer.change_info() {
                Some(info) => Ok(Submitted::Now(info.id.clone())),
                None => Ok(Submitted::Before),
            },
            Err(error) if error.is("InvalidChangeBatch") => {
                let found = self.list(cx).await?;
                if same_sets(&found, to) {
                    return Ok(Submitted::Before);
                }
                if same_sets(&found, from) {
                    let says = error.message().unwrap_or_default();
                    return Err(Error::refused(format!("Route 53 does not take the change: {says}"))
                        .during("route")
                        .on(self.entry.to_string()));
                }
                Err(changed(&self.entry, &found, from).not_happened())
            }
            Err(error) if !error.did_nothing() => {
                // It may have acted: what the zone holds now decides.
                cx.progress.say(format!("{error}: reading the zone again"));
                match self.list(cx).await {
                    Ok(found) if same_sets(&found, to) => Ok(Submitted::Before),
                    Ok(_) | Err(_) => Err(self.vanished(error)),
                }
            }
            Err(error) => Err(self.vanished(error)),
        }
    }

    fn batch(&self, cx: &Cx, gone: &[&RecordSet], new: &[&RecordSet]) -> Result<ChangeBatch> {
        let unmade = |error: aws_smithy_types::error::operation::BuildError| {
            Error::invalid("the change cannot be written").on(self.entry.to_string()).because(error)
        };
        let deletes = gone.iter().map(|set| (ChangeAction::Delete, set));
        let creates = new.iter().map(|set| (ChangeAction::Create, set));
        let mut batch = ChangeBatch::builder().comment(format!("dr run {}, step {}", cx.run, cx.step));
        for (action, set) in deletes.chain(creates) {
            let change = Change::builder().action(action).resource_record_set(set.to_sdk()?);
            batch = batch.changes(change.build().map_err(unmade)?);
        }
        batch.build().map_err(unmade)
    }

    /// Waits until Route 53 says that all its name servers have the change.
    pub(crate) async fn in_sync(&self, cx: &Cx, change: &str) -> Result<()> {
        waiting::until(cx, "change of records", waiting::Pace::QUICK, async || {
            let found = Op::reads("route53:GetChange")
                .ask(cx, || async {
                    self.pace.turn().await;
                    self.client.get_change().id(change).send().await
                })
                .await?;
            Ok(match found.change_info().map(|info| &info.status) {
                Some(ChangeStatus::Insync) => Look::Done(()),
                Some(status) => Look::Not(format!("{} is {status}", change.trim_start_matches("/change/"))),
                None => Look::Not("Route 53 says nothing about it".to_owned()),
            })
        })
        .await
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) async fn turn(&self) {
        self.pace.turn().await;
    }

    /// The words for what is gone.
    pub(super) fn vanished(&self, error: AwsError) -> Error {
        let zone = &self.entry.zone;
        let text = if error.is("NoSuchHostedZone") {
            format!(
                "there is no hosted zone {zone} in this account: it was deleted, or the credentials are another account's"
            )
        } else if error.is("NoSuchHealthCheck") {
            let says = error.message().unwrap_or_default();
            format!("the plan names a health check that this account does not have: {says}")
        } else {
            return Error::from(error).on(self.entry.to_string());
        };
        Error::new(ErrorKind::NotFound, text).during("route").on(self.entry.to_string()).not_happened()
    }
}
