//! Work that must not depend on a caller's runtime: a test may stop its clock, or drop its runtime and go on.

use std::io;
use std::thread;

use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::error::KubeFault;

/// Runs it to its end on a thread and a runtime of its own.
pub(crate) async fn alone<T, W, F>(name: &str, work: W) -> Result<T, KubeFault>
where
    T: Send + 'static,
    W: FnOnce() -> F + Send + 'static,
    F: Future<Output = Result<T, KubeFault>>,
{
    let (reply, answer) = oneshot::channel();
    spawn(name, move || async move {
        // Whoever asked may have gone: then the result is dropped, and what it holds with it.
        let _ = reply.send(work().await);
    })?;
    answer.await.map_err(|_| KubeFault::Garbled("a thread ended without an answer".to_owned()))?
}

/// Starts a thread with a runtime on which that future runs.
pub(crate) fn spawn<W, F>(name: &str, work: W) -> Result<thread::JoinHandle<()>, KubeFault>
where
    W: FnOnce() -> F + Send + 'static,
    F: Future<Output = ()>,
{
    let runtime = Builder::new_current_thread().enable_all().build().map_err(no_thread)?;
    let name = format!("dr-kube-{name}");
    thread::Builder::new().name(name).spawn(move || runtime.block_on(work())).map_err(no_thread)
}

fn no_thread(source: io::Error) -> KubeFault {
    KubeFault::io("start a thread")(source)
}
