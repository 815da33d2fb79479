//! What all verbs share: the clusters of each side, and what the plan means by its workloads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::{At, Cx, Redactor, Secret};
use dr_core::{Result, Side};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};

use crate::cluster::{AT_ONCE, Cluster};
use crate::config::{Config, Selection};
use crate::fleet::Fleet;

/// A connected configuration.
#[derive(Debug)]
pub(crate) struct Sides {
    pub(crate) config: Config,
    pub(crate) clusters: BTreeMap<Side, Arc<Cluster>>,
    pub(crate) secrets: BTreeMap<String, Secret>,
}

impl Sides {
    pub(crate) fn new(config: Config, secrets: BTreeMap<String, Secret>, redactor: &Redactor) -> Self {
        let clusters = config.sides.iter().map(|(side, of)| {
            let manager = &config.field_manager;
            let cluster = Cluster::new(side.clone(), of, config.limits.clone(), manager, redactor);
            (side.clone(), Arc::new(cluster))
        });
        let clusters = clusters.collect();
        Self { config, clusters, secrets }
    }

    /// The cluster of a side.
    pub(crate) fn cluster(&self, side: &Side) -> Result<&Arc<Cluster>> {
        side.of(&self.clusters)
    }

    /// The cluster that a call means.
    pub(crate) fn at(&self, at: &At) -> Result<&Arc<Cluster>> {
        self.cluster(at.side()?)
    }

    /// The workloads that the plan means, on one side.
    pub(crate) async fn fleet(&self, cx: &Cx, cluster: &Cluster) -> Result<Fleet> {
        Fleet::read(cx, cluster, &self.config.kinds, &self.config.workloads).await
    }

    /// The selection's labels, where it is by labels.
    pub(crate) fn labels(&self) -> Option<String> {
        match &self.config.workloads {
            Selection::Labels(labels) => Some(labels.clone()),
            Selection::All | Selection::Names(_) => None,
        }
    }

    /// Looks at every side at once. One that does not answer is `None`, and leaves the others their time; if none
    /// answers, the first one's error.
    pub(crate) async fn each<T, W, F>(&self, cx: &Cx, look: W) -> Result<BTreeMap<Side, Option<T>>>
    where
        W: Fn(Cx, Arc<Cluster>) -> F,
        F: Future<Output = Result<T>> + Send,
        T: Send,
    {
        self.those(cx, self.clusters.keys(), look).await
    }

    /// Looks at one side. Nothing is known of the others, which are not asked.
    pub(crate) async fn only<T, W, F>(
        &self,
        cx: &Cx,
        side: &Side,
        look: W,
    ) -> Result<BTreeMap<Side, Option<T>>>
    where
        W: Fn(Cx, Arc<Cluster>) -> F,
        F: Future<Output = Result<T>> + Send,
        T: Send,
    {
        let mut seen = self.those(cx, std::iter::once(side), look).await?;
        for other in self.clusters.keys() {
            seen.entry(other.clone()).or_insert(None);
        }
        Ok(seen)
    }

    async fn those<'a, T, W, F>(
        &'a self,
        cx: &Cx,
        sides: impl Iterator<Item = &'a Side>,
        look: W,
    ) -> Result<BTreeMap<Side, Option<T>>>
    where
        W: Fn(Cx, Arc<Cluster>) -> F,
        F: Future<Output = Result<T>> + Send,
        T: Send,
    {
        // A little is kept back, so that what is known is told before the caller's time is over.
        let within = cx.left().mul_f64(0.95).min(cx.left().saturating_sub(Duration::from_millis(50)));
        let mut looked = Vec::new();
        for side in sides {
            let cx = cx.within(within);
            let work = look(cx.clone(), Arc::clone(self.cluster(side)?));
            looked.push(async move { (side.clone(), cx.bound("observe", work).await) }.boxed());
        }
        let looked: Vec<(Side, Result<T>)> = stream::iter(looked).buffer_unordered(AT_ONCE).collect().await;
        let mut seen = BTreeMap::new();
        let mut first = None;
        for (side, result) in looked {
            let known = match result {
                Ok(known) => Some(known),
                Err(error) => {
                    cx.progress.say(format!("{side} is unknown: {}", error.chain()));
                    first.get_or_insert(error);
                    None
                }
            };
            seen.insert(side, known);
        }
        match first {
            Some(error) if seen.values().all(Option::is_none) => Err(error.not_happened()),
            Some(_) | None => Ok(seen),
        }
    }
}

/// Does all of it, so much at a time; the first error ends it.
pub(crate) async fn all_at_once<R: Send>(work: Vec<BoxFuture<'_, Result<R>>>) -> Result<Vec<R>> {
    stream::iter(work).buffer_unordered(AT_ONCE).try_collect().await
}
