//! RDS in one region: the calls that instances and clusters share.

use std::time::Duration;

use aws_sdk_rds::types::{Event, Filter, SourceType};
use dr_core::resource::Cx;
use dr_core::{Region, Result, Timestamp};

use super::arn::Arn;
use super::instance::Instance;
use super::tags::Tags;
use super::to_sdk;
use crate::asking::Op;
use crate::client::Aws;

/// RDS forgets events after 14 days, and does not take an older beginning.
const EVENTS_KEPT: Duration = Duration::from_secs(14 * 86_400 - 3_600);

/// RDS in a region.
#[derive(Debug)]
pub(crate) struct Api<'a> {
    pub(crate) client: aws_sdk_rds::Client,
    pub(crate) region: &'a Region,
}

impl<'a> Api<'a> {
    pub(crate) fn new(aws: &Aws, region: &'a Region) -> Self {
        Self { client: aws.rds(region), region }
    }

    /// A call that only reads.
    pub(crate) fn reads(&self, permission: &'static str) -> Op {
        Op::reads(permission).at(self.region)
    }

    /// A call that may change something.
    pub(crate) fn changes(&self, permission: &'static str) -> Op {
        Op::changes(permission).at(self.region)
    }

    /// An instance by its name; `None`: there is none.
    pub(crate) async fn instance(&self, cx: &Cx, name: &str) -> Result<Option<Instance>> {
        let answer = self
            .reads("rds:DescribeDBInstances")
            .ask(cx, || self.client.describe_db_instances().db_instance_identifier(name).send())
            .await;
        match answer {
            Err(error) if error.is("DBInstanceNotFound") => Ok(None),
            Err(error) => Err(error.into()),
            Ok(answer) => answer.db_instances().first().map(Instance::read).transpose(),
        }
    }

    /// Every instance here, or those of a cluster.
    pub(crate) async fn instances(&self, cx: &Cx, cluster: Option<&str>) -> Result<Vec<Instance>> {
        let filter =
            cluster.map(|cluster| vec![Filter::builder().name("db-cluster-id").values(cluster).build()]);
        let (mut found, mut marker): (Vec<Instance>, Option<String>) = (Vec::new(), None);
        loop {
            let page = self
                .reads("rds:DescribeDBInstances")
                .ask(cx, || {
                    self.client
                        .describe_db_instances()
                        .set_filters(filter.clone())
                        .set_marker(marker.clone())
                        .send()
                })
                .await?;
            for instance in page.db_instances() {
                found.push(Instance::read(instance)?);
            }
            marker = more(page.marker());
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    /// What RDS tells of its instances since then; of one of them, if it is named.
    pub(crate) async fn events(&self, cx: &Cx, name: Option<&str>, since: Timestamp) -> Result<Vec<Event>> {
        let since = since.max(cx.now().minus(EVENTS_KEPT));
        let (mut events, mut marker): (Vec<Event>, Option<String>) = (Vec::new(), None);
        loop {
            let page = self
                .reads("rds:DescribeEvents")
                .ask(cx, || {
                    self.client
                        .describe_events()
                        .set_source_identifier(name.map(str::to_owned))
                        .source_type(SourceType::DbInstance)
                        .start_time(to_sdk(since))
                        .set_marker(marker.clone())
                        .send()
                })
                .await?;
            events.extend_from_slice(page.events());
            marker = more(page.marker());
            if marker.is_none() {
                return Ok(events);
            }
        }
    }

    /// Adds tags to something here.
    pub(crate) async fn tag(&self, cx: &Cx, arn: &Arn, tags: &Tags) -> Result<()> {
        let name = arn.to_string();
        self.changes("rds:AddTagsToResource")
            .ask(cx, || {
                self.client.add_tags_to_resource().resource_name(&name).set_tags(Some(tags.to_sdk())).send()
            })
            .await?;
        Ok(())
    }

    /// Takes tags off something here.
    pub(crate) async fn untag(&self, cx: &Cx, arn: &Arn, keys: &[&str]) -> Result<()> {
        let name = arn.to_string();
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        self.changes("rds:RemoveTagsFromResource")
            .ask(cx, || {
                self.client
                    .remove_tags_from_resource()
                    .resource_name(&name)
                    .set_tag_keys(Some(keys.clone()))
                    .send()
            })
            .await?;
        Ok(())
    }

    /// Starts an instance anew.
    pub(crate) async fn restart(&self, cx: &Cx, name: &str) -> Result<()> {
        self.changes("rds:RebootDBInstance")
            .ask(cx, || self.client.reboot_db_instance().db_instance_identifier(name).send())
            .await?;
        Ok(())
    }
}

/// The marker of the next page.
pub(crate) fn more(marker: Option<&str>) -> Option<String> {
    marker.filter(|marker| !marker.is_empty()).map(str::to_owned)
}
