//! A stand-in for scheduler and kubelets: it registers nodes and keeps them ready, binds pods to them, makes them ready
//! after their time or fails them as real ones fail, and takes them away when they are to end.
//!
//! Nothing runs. What the API server says of a pod, and when, is what a client of Kubernetes can see, and it is the same.

mod behaviour;
mod crew;
mod life;
mod node;
mod options;
mod pod;
mod quantity;
mod schedule;
mod status;
mod work;

use std::collections::BTreeSet;
use std::thread::JoinHandle;
use std::time::Duration;

use dr_core::Result;
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use futures_util::stream::select_all;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::runtime::utils::Backoff;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::access::Access;
use crate::error::KubeFault;
use crate::own;
use crew::{Crew, Order};

pub use behaviour::{Behaviour, Start, Stop};
pub use options::{Allocatable, KubeletOptions};

/// How long the first look at nodes and pods may take.
const WITHIN: Duration = Duration::from_secs(60);

/// Nodes and pods of a region are looked after until this is dropped. It works on a thread and a clock of its own.
///
/// ```no_run
/// # async fn fails() -> dr_core::Result<()> {
/// # use dr_testkit_kube::{KubeRegion, RegionOptions};
/// use dr_testkit_kube::{Behaviour, Kubelet, KubeletOptions, Start};
///
/// # let region = KubeRegion::start(RegionOptions::new("east")).await?;
/// let kubelet = Kubelet::start(region.warden(), KubeletOptions::new()).await?;
/// kubelet.behave("shop", Behaviour::new().start(Start::ImagePull));
/// // … a roll-out in `shop` that cannot succeed; then the image is pushed after all:
/// kubelet.behave("shop", Behaviour::new());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Kubelet {
    nodes: Vec<String>,
    orders: Option<mpsc::UnboundedSender<Order>>,
    down: watch::Sender<BTreeSet<String>>,
    thread: Option<JoinHandle<()>>,
}

impl Kubelet {
    /// Registers the nodes, sees every pod there is, and begins. Give it the region's
    /// [warden](crate::KubeRegion::warden), so that its requests are not among those of your test.
    pub async fn start(access: &Access, options: KubeletOptions) -> Result<Self> {
        let (orders, taken) = mpsc::unbounded_channel();
        let (down, seen_down) = watch::channel(BTreeSet::new());
        let (ready, began) = oneshot::channel();
        let access = access.clone();
        let thread = own::spawn("kubelet", move || async move {
            match prepare(&access, &options).await {
                Ok((client, nodes)) => {
                    let (told, all_seen) = oneshot::channel();
                    let (pods, nodes_seen) = watches(&client, &access, &options);
                    let crew = Crew::new(client.clone(), options, &nodes);
                    let names = nodes.iter().map(|node| node.name.clone()).collect();
                    tokio::join!(
                        crew.work(taken, pods, nodes_seen, told),
                        node::beat(client, nodes, seen_down),
                        async move {
                            let seen = match timeout(WITHIN, all_seen).await {
                                Ok(_) => Ok(names),
                                Err(_) => Err(KubeFault::Late {
                                    what: "the stand-in's first look at nodes and pods".to_owned(),
                                    within: WITHIN,
                                }),
                            };
                            // Whoever asked may have gone.
                            let _ = ready.send(seen);
                        },
                    );
                }
                Err(fault) => drop(ready.send(Err(fault))),
            }
        })?;
        let nodes =
            began.await.map_err(|_| KubeFault::Garbled("the kubelet stand-in ended early".to_owned()))??;
        Ok(Self { nodes, orders: Some(orders), down, thread: Some(thread) })
    }

    /// The nodes' names.
    pub fn nodes(&self) -> &[String] {
        &self.nodes
    }

    /// How pods of that namespace fare from now on, those that are there already among them: a failed pull succeeds, a
    /// ready pod crashes. Labels on a pod win.
    pub fn behave(&self, namespace: impl Into<String>, behaviour: Behaviour) {
        self.order(Order::Behave { namespace: namespace.into(), behaviour: Some(behaviour) });
    }

    /// Pods of that namespace fare like all others again.
    pub fn behave_as_others(&self, namespace: impl Into<String>) {
        self.order(Order::Behave { namespace: namespace.into(), behaviour: None });
    }

    /// A node says that it is not ready, until it is [restored](Self::restore_node).
    pub fn fail_node(&self, node: &str) {
        self.down.send_if_modified(|down| down.insert(node.to_owned()));
    }

    /// A failed node says that it is ready again.
    pub fn restore_node(&self, node: &str) {
        self.down.send_if_modified(|down| down.remove(node));
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // It takes orders as long as this is there.
            let _ = orders.send(order);
        }
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        drop(self.orders.take());
        self.down = watch::channel(BTreeSet::new()).0;
        if let Some(thread) = self.thread.take() {
            // What it panicked of, it has said.
            let _ = thread.join();
        }
    }
}

async fn prepare(
    access: &Access,
    options: &KubeletOptions,
) -> Result<(Client, Vec<node::Registered>), KubeFault> {
    let client = access.client().await.map_err(|error| KubeFault::Garbled(error.to_string()))?;
    let version = client.apiserver_version().await.map_err(KubeFault::asked("ask for the version"))?;
    let nodes = node::nodes(access.region(), &version.git_version, options);
    try_join_all(nodes.iter().map(|node| node.register(&client))).await?;
    Ok((client, nodes))
}

fn watches(
    client: &Client,
    access: &Access,
    options: &KubeletOptions,
) -> (crew::PodEvents, crew::NodeEvents) {
    let of_pods = |namespace: Option<String>| {
        let api = match &namespace {
            Some(namespace) => Api::<Pod>::namespaced(client.clone(), namespace),
            None => Api::<Pod>::all(client.clone()),
        };
        let events = watcher(api, watcher::Config::default()).backoff(Soon);
        events.map(move |event| (namespace.clone(), event)).boxed()
    };
    let pods: Vec<_> = match &options.namespaces {
        Some(namespaces) => namespaces.iter().map(|namespace| of_pods(Some(namespace.clone()))).collect(),
        None => vec![of_pods(None)],
    };
    let ours = format!("{}={}", node::LABEL, node::prefix(access.region(), options));
    let nodes = watcher(Api::<Node>::all(client.clone()), watcher::Config::default().labels(&ours));
    (select_all(pods).boxed(), nodes.backoff(Soon).boxed())
}

/// A server on loopback that was restarted is to be found again at once: no test should wait for courtesy.
struct Soon;

impl Iterator for Soon {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(Duration::from_millis(100))
    }
}

impl Backoff for Soon {
    fn reset(&mut self) {}
}
