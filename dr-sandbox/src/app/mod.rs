//! The service that the sandbox's callers use: one process of it.

mod pool;
mod service;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use dr_core::{Result, Side};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket};

use crate::fault;
use crate::leash::Leash;
use crate::postgres::APP;
use crate::state::{DATABASE, Layout, State};
use crate::wire::Database;
use pool::Pool;
use service::Service;

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
    tokio::select! {
        biased;
        () = leash.cut() => Ok(()),
        result = accept(listener, service) => result,
    }
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

async fn accept(listener: TcpListener, service: Arc<Service>) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await.map_err(fault::io("accept a caller"))?;
        // What fails here is one caller's connection; the caller sees it.
        let _ = stream.set_nodelay(true);
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                let service = Arc::clone(&service);
                async move { Ok::<_, Infallible>(service.answer(&request).await) }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}
