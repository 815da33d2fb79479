//! A listener that is there only while the world says so.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::world::{Shared, World};

/// Opens a listener that can be closed and opened again on the same address.
pub(crate) fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1_024)
}

/// Serves while `open` says so; while not, connections are refused, and those that were open are gone.
pub(crate) async fn serve<F, C>(
    shared: Arc<Shared>,
    first: TcpListener,
    open: impl Fn(&World) -> bool,
    converse: C,
) where
    F: Future<Output = ()> + Send + 'static,
    C: Fn(Arc<Shared>, TcpStream) -> F,
{
    let Ok(address) = first.local_addr() else { return };
    let mut changes = shared.watch();
    let mut listener = Some(first);
    let mut callers = JoinSet::new();
    loop {
        changes.borrow_and_update();
        let wanted = shared.with(|world| open(world));
        if wanted && listener.is_none() {
            // Nobody else takes an address that was ours a moment ago; if so, the next change tries again.
            listener = listen(address).ok();
        }
        if !wanted {
            listener = None;
            callers.abort_all();
        }
        match &listener {
            None => {
                if changes.changed().await.is_err() {
                    return;
                }
            }
            Some(listener) => tokio::select! {
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    while callers.try_join_next().is_some() {}
                    callers.spawn(converse(Arc::clone(&shared), stream));
                }
            },
        }
    }
}
