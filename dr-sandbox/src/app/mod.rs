//! The service that the sandbox's callers use: one process of it.

mod pool;
mod service;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dr_core::{Result, Side};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::fault;
use crate::leash::Leash;
use crate::postgres::APP;
use crate::state::{DATABASE, Layout, State};
use crate::wire::Database;
use pool::Pool;
use service::Service;

/// How long the queue has to be empty before the socket closes.
const QUEUE: Duration = Duration::from_millis(5);
/// How long those who are being served may take when the process is to end.
const GRACE: Duration = Duration::from_secs(2);

/// Serves until its supervisor is gone.
pub(crate) async fn run(layout: &Layout, side: &Side) -> Result<()> {
    let leash = Leash::take()?;
    let state = State::read(layout)?;
    let region = state.region(side)?;
    let password = layout.read_secret("app")?;
    let database = Database::new(region.postgres, Some(region.app.ip()), APP, &password, DATABASE);
    let service = Arc::new(Service::new(side.clone(), Pool::new(database)));
    let listener = listen(region.app)?;
    leash.say_ready()?;
    let mut callers = Callers::new(service);
    let leaving = leash.cut();
    tokio::pin!(leaving);
    loop {
        tokio::select! {
            biased;
            () = &mut leaving => break,
            accepted = listener.accept() => callers.serve(accepted.map_err(fault::io("accept a caller"))?.0),
        }
    }
    // Who is in the queue already is served: a socket that closes sends them away.
    while let Ok(Ok((stream, _))) = timeout(QUEUE, listener.accept()).await {
        callers.serve(stream);
    }
    drop(listener);
    callers.leave().await;
    Ok(())
}

/// Several processes share the port; the kernel spreads the callers.
fn listen(address: SocketAddr) -> Result<TcpListener> {
    let open = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
        socket.bind(address)?;
        socket.listen(1024)
    };
    open().map_err(fault::io(format!("listen on {address}")))
}

/// Everybody who is being served.
struct Callers {
    service: Arc<Service>,
    tasks: JoinSet<()>,
    leaving: watch::Sender<bool>,
}

impl Callers {
    fn new(service: Arc<Service>) -> Self {
        Self { service, tasks: JoinSet::new(), leaving: watch::Sender::new(false) }
    }

    fn serve(&mut self, stream: TcpStream) {
        // What fails here is one caller's connection; the caller sees it.
        let _ = stream.set_nodelay(true);
        let service = Arc::clone(&self.service);
        let mut leaving = self.leaving.subscribe();
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(async move {
            let answer = service_fn(|request| {
                let service = Arc::clone(&service);
                async move { Ok::<_, Infallible>(service.answer(&request).await) }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
            tokio::pin!(connection);
            let told = async { leaving.wait_for(|leaving| *leaving).await.is_ok() };
            let over = tokio::select! {
                biased;
                _ = connection.as_mut() => true,
                _ = told => false,
            };
            if !over {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        });
    }

    /// Lets each have the answer to what was asked, for a while.
    async fn leave(mut self) {
        self.leaving.send_replace(true);
        let everybody = async { while self.tasks.join_next().await.is_some() {} };
        // Who is not done by then is cut off.
        let _ = timeout(GRACE, everybody).await;
    }
}
