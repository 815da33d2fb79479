//! The handle on a running simulator.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use dr_core::{Error, Result};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::options::Options;
use crate::world::{NameServer, Shared, World};
use crate::{dns, gate, probe, route53, server};

/// A running simulator. Everything it serves ends when it is dropped.
#[derive(Debug)]
pub struct Aws {
    pub(crate) shared: Arc<Shared>,
    pub(crate) account: String,
    address: SocketAddr,
    tasks: Mutex<Vec<AbortHandle>>,
    places: Mutex<Places>,
}

/// What listens for one region.
#[derive(Debug, Default)]
struct Places {
    endpoints: Vec<(String, SocketAddr)>,
    services: Vec<(String, SocketAddr)>,
}

impl Aws {
    /// Starts a world on loopback. It needs a tokio runtime to live in.
    ///
    /// # Errors
    /// When a socket cannot be opened.
    pub async fn start(options: Options) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
        let listener = TcpListener::bind(address).await.map_err(io("listen for calls"))?;
        let address = listener.local_addr().map_err(io("listen for calls"))?;
        let mut world = World::new(&options);
        let mut sockets = Vec::new();
        for number in 0..route53::SERVERS {
            let (address, udp, tcp) = dns::bind().await.map_err(io("listen for questions"))?;
            world.name_servers.push(NameServer { name: name_server(number), address });
            sockets.push((udp, tcp));
        }
        let shared = Shared::new(world);
        let mut tasks = vec![
            tokio::spawn(server::serve(Arc::clone(&shared), listener)).abort_handle(),
            tokio::spawn(probe::run(Arc::clone(&shared))).abort_handle(),
        ];
        for (number, (udp, tcp)) in sockets.into_iter().enumerate() {
            let serving = dns::serve(Arc::clone(&shared), number, udp, tcp);
            tasks.push(tokio::spawn(serving).abort_handle());
        }
        Ok(Self {
            shared,
            account: options.account,
            address,
            tasks: Mutex::new(tasks),
            places: Mutex::default(),
        })
    }

    /// The endpoint URL of every service and region.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The account of credentials that say nothing else.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// An endpoint URL of one region alone. Unlike the common one it really refuses connections while the region is
    /// lost or fails with [`Fault::Refused`](crate::Fault::Refused).
    ///
    /// # Errors
    /// When a socket cannot be opened.
    pub async fn region_endpoint(&self, region: &str) -> Result<String> {
        let known = |places: &Places| find(&places.endpoints, region);
        if let Some(address) = known(&self.places()) {
            return Ok(format!("http://{address}"));
        }
        let listener =
            gate::listen((Ipv4Addr::LOCALHOST, 0).into()).map_err(io("listen for a region's calls"))?;
        let address = listener.local_addr().map_err(io("listen for a region's calls"))?;
        let name = region.to_owned();
        let open = move |world: &World| {
            !world.faults.refuses(&name) && world.lost.get(&name) != Some(&crate::Fault::Refused)
        };
        self.keep(gate::serve(Arc::clone(&self.shared), listener, open, server::converse));
        self.places().endpoints.push((region.to_owned(), address));
        Ok(format!("http://{address}"))
    }

    /// Where the region's small service listens: each region has a loopback address of its own, all have one port, so
    /// that a name can be switched between them. It is started by the first call.
    ///
    /// # Errors
    /// When a socket cannot be opened.
    pub async fn service_address(&self, region: &str) -> Result<SocketAddr> {
        let (known, number, port) = {
            let places = self.places();
            let port = places.services.first().map_or(0, |(_, address)| address.port());
            (find(&places.services, region), places.services.len(), port)
        };
        if let Some(address) = known {
            return Ok(address);
        }
        let ip = loopback(number);
        let listener = gate::listen((ip, port).into()).map_err(io("listen for the service"))?;
        let address = listener.local_addr().map_err(io("listen for the service"))?;
        let name = region.to_owned();
        let open = {
            let name = name.clone();
            move |world: &World| crate::app::is_open(world, &name)
        };
        let converse = move |shared, stream| crate::app::converse(shared, name.clone(), stream);
        self.keep(gate::serve(Arc::clone(&self.shared), listener, open, converse));
        self.places().services.push((region.to_owned(), address));
        Ok(address)
    }

    /// Where the zone's name servers really listen, in the order of its delegation set. They are the same for all zones.
    pub fn name_servers(&self) -> Vec<SocketAddr> {
        self.shared.with(|world| world.name_servers.iter().map(|server| server.address).collect())
    }

    fn places(&self) -> std::sync::MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, task: impl Future<Output = ()> + Send + 'static) {
        let handle = tokio::spawn(task).abort_handle();
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        for task in self.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
    }
}

fn find(list: &[(String, SocketAddr)], region: &str) -> Option<SocketAddr> {
    list.iter().find(|(name, _)| name == region).map(|(_, address)| *address)
}

/// `ns-1.awsdns-01.com`
fn name_server(number: usize) -> String {
    let tops = ["com", "net", "org", "co.uk"];
    format!("ns-{}.awsdns-{:02}.{}", number * 512 + 1, number, tops.get(number).copied().unwrap_or("com"))
}

/// An address of its own on loopback for each service.
fn loopback(number: usize) -> IpAddr {
    let last = u8::try_from(number + 10).unwrap_or(u8::MAX);
    IpAddr::V4(Ipv4Addr::new(127, 0, 2, last))
}

pub(crate) fn io(doing: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    move |error| Error::new(dr_core::ErrorKind::Unreachable, "no socket").during(doing).because(error)
}
