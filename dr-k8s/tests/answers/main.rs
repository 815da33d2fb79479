//! What a server may answer, or fail to, and what is made of it: the class, whether to ask again, and the words.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dr_core::resource::{
    At, Backend, Cancel, Connect, Cx, Redactor, Replicas, Resource, Scale, Secret, SecretRef, SecretSource,
    Staffing,
};
use dr_core::{Error, ErrorKind, Happened, Result, Retry, SystemClock, async_trait};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

/// What a server does with each request.
#[derive(Clone)]
enum Does {
    /// Answers so.
    Says(String),
    /// Answers so the first time, and as an API server that has nothing after that.
    Once(String),
    /// Closes the connection.
    Hangs(bool),
}

fn http(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

fn status(code: u16, reason: &str, message: &str) -> String {
    let body = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message });
    http(&format!("{code} {reason}"), "content-type: application/json\r\n", &body.to_string())
}

struct Server {
    port: u16,
    asked: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn that(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let (does, count) = (does.clone(), Arc::clone(&count));
                open.spawn(async move {
                    let mut bytes = vec![0; 65_536];
                    while let Ok(read) = stream.read(&mut bytes).await {
                        if read == 0 {
                            return;
                        }
                        let before = count.fetch_add(1, Ordering::SeqCst);
                        let path = String::from_utf8_lossy(&bytes[..read]);
                        let path = path.split(' ').nth(1).unwrap_or_default().to_owned();
                        let answer = match &does {
                            Does::Says(answer) => answer.clone(),
                            Does::Once(answer) if before == 0 => answer.clone(),
                            Does::Once(_) => nothing(&path),
                            Does::Hangs(false) => return,
                            Does::Hangs(true) => std::future::pending().await,
                        };
                        if stream.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { port, asked, task }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// What an API server says that has one Deployment and no pod.
fn nothing(path: &str) -> String {
    let body = match path.split('?').next().unwrap_or_default() {
        "/apis" => {
            json!({ "kind": "APIGroupList", "groups": [{ "name": "apps", "versions": [{ "version": "v1" }] }] })
        }
        "/apis/apps/v1" => json!({ "resources": [
            { "name": "deployments", "kind": "Deployment" }, { "name": "deployments/scale", "kind": "Scale" },
        ] }),
        path if path.ends_with("/deployments") => json!({ "metadata": {}, "items": [
            { "metadata": { "name": "web" }, "spec": { "replicas": 1 }, "status": { "replicas": 1, "readyReplicas": 1 } },
        ] }),
        _ => json!({ "metadata": {}, "items": [] }),
    };
    http("200 OK", "content-type: application/json\r\n", &body.to_string())
}

#[derive(Debug)]
struct NoSecrets;

#[async_trait]
impl SecretSource for NoSecrets {
    async fn fetch(&self, reference: &SecretRef) -> Result<Secret> {
        Err(Error::new(ErrorKind::NotFound, reference.to_string()))
    }
}

async fn resource(folder: &Path, server: &str) -> Resource {
    let file = folder.join("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\n\
         contexts:\n- name: c\n  context: {{ cluster: c, user: u }}\n\
         clusters:\n- name: c\n  cluster: {{ server: \"{server}\" }}\n\
         users:\n- name: u\n  user: {{ token: secret-token }}\n"
    );
    std::fs::write(&file, text).unwrap();
    let config = json!({
        "namespace": "shop", "contexts": { "east": "c" }, "kubeconfig": file, "kinds": ["deployments"],
        "connect_timeout": "1s",
    });
    let configured = dr_k8s::backend().configure(config).unwrap_or_else(|errors| panic!("{errors:?}"));
    let clock: Arc<dyn dr_core::Clock> = Arc::new(SystemClock);
    configured.connect(&Connect::new(&NoSecrets, &Redactor::default(), &clock)).await.unwrap()
}

fn cx(time: Duration) -> Cx {
    Cx::new("20270115T080000Z-answer".into(), "test/case".into(), time)
}

/// What a look at such a server ends with.
async fn seen(does: Does) -> (Error, usize) {
    let server = Server::that(does).await;
    let folder = tempfile::tempdir().unwrap();
    let resource = resource(folder.path(), &format!("http://127.0.0.1:{}", server.port)).await;
    let observer = resource.observer::<Staffing>().unwrap();
    let error = observer
        .observe(&cx(Duration::from_secs(3)))
        .await
        .err()
        .unwrap_or_else(|| panic!("it claims to know"));
    assert_eq!(error.happened(), Happened::No, "{error:?}");
    (error, server.asked())
}

#[tokio::test]
async fn throttling_is_waited_out_as_long_as_the_server_says() {
    let server =
        Server::that(Does::Once(http("429 Too Many Requests", "retry-after: 1\r\n", "slow down"))).await;
    let folder = tempfile::tempdir().unwrap();
    let resource = resource(folder.path(), &format!("http://127.0.0.1:{}", server.port)).await;
    let began = Instant::now();
    let observer = resource.observer::<Staffing>().unwrap();
    let staffing = observer.observe(&cx(Duration::from_secs(5))).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(staffing.sides["east"].as_ref().unwrap()[0].name, "deployment/web");
}

#[tokio::test]
async fn throttling_beyond_the_deadline_is_told_with_its_wait() {
    let (error, _) =
        seen(Does::Says(http("429 Too Many Requests", "retry-after: 60\r\n", "slow down"))).await;
    assert_eq!(error.kind(), ErrorKind::Throttled, "{error:?}");
    assert_eq!(error.retry(), Retry::Transient { after: Some(Duration::from_secs(60)) });
}

#[tokio::test]
async fn a_server_that_fails_is_asked_again_and_then_called_unreachable() {
    let (error, asked) =
        seen(Does::Says(status(503, "ServiceUnavailable", "apiserver is shutting down"))).await;
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error:?}");
    assert!(matches!(error.retry(), Retry::Transient { .. }));
    assert!(asked > 1, "asked {asked} times");
    assert!(error.to_string().contains("apiserver is shutting down"), "{error}");
}

/// P23: an HTML page with a good status.
#[tokio::test]
async fn a_page_of_a_proxy_is_never_taken_for_an_answer() {
    let page = "<html><body>Please log in</body></html>";
    let (error, _) = seen(Does::Says(http("200 OK", "content-type: text/html\r\n", page))).await;
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unknown, Retry::Permanent), "{error:?}");
    assert!(error.to_string().contains("Please log in"), "{error}");
    let (error, _) = seen(Does::Says(http("502 Bad Gateway", "content-type: text/html\r\n", page))).await;
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error:?}");
}

#[tokio::test]
async fn half_an_answer_is_unknown() {
    let (error, _) = seen(Does::Says(http("200 OK", "", "{\"versions\": [{\"vers"))).await;
    assert_eq!(error.kind(), ErrorKind::Unknown, "{error:?}");
}

#[tokio::test]
async fn credentials_that_are_not_accepted_say_that_they_may_have_expired() {
    let (error, asked) = seen(Does::Says(status(401, "Unauthorized", "Unauthorized"))).await;
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unauthorized, Retry::Permanent), "{error:?}");
    assert!(error.to_string().contains("expired"), "{error}");
    assert!(asked <= 4, "two questions, each with new credentials once: {asked}");
    assert!(!format!("{error:?}").contains("secret-token"));
}

#[tokio::test]
async fn a_missing_right_is_named() {
    let text = "deployments.apps is forbidden: User \"dr\" cannot list resource \"deployments\" in API group \"apps\"";
    let (error, asked) = seen(Does::Says(status(403, "Forbidden", text))).await;
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error:?}");
    assert!(asked <= 2, "two questions, each once: {asked}");
    assert!(error.to_string().contains("cannot list resource \"deployments\""), "{error}");
}

#[tokio::test]
async fn a_connection_that_breaks_is_unreachable_and_one_that_hangs_is_bounded() {
    let (error, _) = seen(Does::Hangs(false)).await;
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error:?}");
    let began = Instant::now();
    let (error, _) = seen(Does::Hangs(true)).await;
    assert!(matches!(error.kind(), ErrorKind::Hung | ErrorKind::Timeout), "{error:?}");
    assert!(began.elapsed() < Duration::from_millis(3_200), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_waits_for_no_answer() {
    let server = Server::that(Does::Hangs(true)).await;
    let folder = tempfile::tempdir().unwrap();
    let resource = resource(folder.path(), &format!("http://127.0.0.1:{}", server.port)).await;
    let (canceller, cancel) = Cancel::pair();
    let mut cx = cx(Duration::from_secs(30));
    cx.cancel = cancel;
    let call = Scale { side: At::Named("east".into()), replicas: Replicas::Count(0), after_drain: false };
    let (effect, began) = (resource.effect::<Scale>().unwrap(), Instant::now());
    let stop = async {
        while server.asked() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        canceller.cancel();
    };
    let (prepared, ()) = tokio::join!(effect.prepare(&cx, &call), stop);
    assert_eq!(prepared.unwrap_err().kind(), ErrorKind::Cancelled);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn where_nothing_listens_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let folder = tempfile::tempdir().unwrap();
    let resource = resource(folder.path(), &format!("http://127.0.0.1:{port}")).await;
    let error =
        resource.observer::<Staffing>().unwrap().observe(&cx(Duration::from_secs(3))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error:?}");
    assert!(error.to_string().contains("east"), "{error}");
}

#[tokio::test]
async fn nothing_is_scaled_where_nothing_can_be_read() {
    for does in [
        Does::Says(http("200 OK", "", "<html>")),
        Does::Says(http("418 I'm a teapot", "", "short and stout")),
        Does::Says(status(500, "InternalError", "etcdserver: request timed out")),
    ] {
        let server = Server::that(does).await;
        let folder = tempfile::tempdir().unwrap();
        let resource = resource(folder.path(), &format!("http://127.0.0.1:{}", server.port)).await;
        let call = Scale { side: At::Named("east".into()), replicas: Replicas::Count(0), after_drain: false };
        let effect = resource.effect::<Scale>().unwrap();
        let prepared = effect.prepare(&cx(Duration::from_secs(3)), &call).await;
        let error = prepared.err().unwrap_or_else(|| panic!("it claims to know"));
        assert_eq!(error.happened(), Happened::No, "{error:?}");
    }
}
