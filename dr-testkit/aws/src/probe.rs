//! The checkers of health checks.
//!
//! A loopback address is really asked; the simulator goes nowhere else, so any other one counts as silent unless the
//! handle says how it is.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::route53::{CheckKind, Target};
use crate::world::{Shared, World};

/// Connect within four seconds, answer within two; never less than this, however fast the pace.
///
/// <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html>
const CONNECT: Duration = Duration::from_secs(4);
const ANSWER: Duration = Duration::from_secs(2);
const LEAST: Duration = Duration::from_millis(250);
/// No checker looks more often than this.
const SHORTEST: Duration = Duration::from_millis(5);
/// How much of a body is searched.
const SEARCHED: usize = 5_120;

/// One look that is due.
struct Look {
    account: String,
    id: String,
    target: Target,
    address: Option<SocketAddr>,
    scripted: Option<bool>,
    patience: (Duration, Duration),
}

/// Looks whenever a check is due, until it is dropped.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut changes = shared.watch();
    let mut looks = JoinSet::new();
    loop {
        changes.borrow_and_update();
        let (due, next) = shared.with(take_due);
        for look in due {
            looks.spawn(carry_out(Arc::clone(&shared), look));
        }
        let far = Instant::now() + Duration::from_secs(3_600);
        tokio::select! {
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = sleep_until(next.unwrap_or(far)) => {}
            Some(_) = looks.join_next() => {}
        }
    }
}

/// The checks that are due, and when the next one is.
fn take_due(world: &mut World) -> (Vec<Look>, Option<Instant>) {
    let now = world.clock.now();
    let patience = (world.clock.takes(CONNECT).max(LEAST), world.clock.takes(ANSWER).max(LEAST));
    let mut due = Vec::new();
    let mut next: Option<Instant> = None;
    let accounts: Vec<String> = world.route53.keys().cloned().collect();
    for account in accounts {
        let ids: Vec<String> = world.route53(&account).checks.keys().cloned().collect();
        for id in ids {
            let clock = world.clock.clone();
            let Some(check) = world.route53(&account).checks.get_mut(&id) else { continue };
            let CheckKind::Endpoint(target) = &check.config.kind else { continue };
            if check.config.disabled {
                continue;
            }
            let target = target.clone();
            let at = *check.seen.due.get_or_insert(now);
            let mut at_next = at;
            if at <= now {
                at_next = now + clock.takes(target.every()).max(SHORTEST);
                check.seen.due = Some(at_next);
                let address = target.address().or_else(|| world.resolve(&target));
                let scripted = address.and_then(|address| world.endpoints.get(&address.ip()).copied());
                due.push(Look { account: account.clone(), id, target, address, scripted, patience });
            }
            next = Some(next.map_or(at_next, |next| next.min(at_next)));
        }
    }
    (due, next)
}

async fn carry_out(shared: Arc<Shared>, look: Look) {
    let seen = match (look.scripted, look.address) {
        (Some(true), _) => Ok("Success: HTTP Status Code 200, OK".to_owned()),
        (None, Some(address)) if address.ip().is_loopback() => ask(&look, address).await,
        (None, None) => Err("Failure: DNS resolution failed: Rcode NXDomain(3)".to_owned()),
        (Some(false), _) | (None, Some(_)) => Err(SILENT.to_owned()),
    };
    let (passed, words) = match seen {
        Ok(words) => (true, words),
        Err(words) => (false, words),
    };
    shared.with(|world| {
        let at = world.clock.wall();
        if let Some(check) = world.route53(&look.account).checks.get_mut(&look.id) {
            check.seen.look(at, passed, &words, look.target.threshold);
        }
    });
}

const SILENT: &str = "Failure: Connection timed out. The endpoint or the internet connection is down, or requests are being blocked by your firewall.";

/// Success or failure, in the words of a status report.
async fn ask(look: &Look, address: SocketAddr) -> Result<String, String> {
    let stream = match timeout(look.patience.0, TcpStream::connect(address)).await {
        Err(_) => return Err(SILENT.to_owned()),
        Ok(Err(error)) => return Err(format!("Failure: Connection failed: {error}")),
        Ok(Ok(stream)) => stream,
    };
    match look.target.protocol.as_str() {
        "TCP" => Ok("Success: TCP connection established".to_owned()),
        "HTTP" | "HTTP_STR_MATCH" => match timeout(look.patience.1, get(look, stream)).await {
            Err(_) => Err("Failure: The health checker did not receive a response in time.".to_owned()),
            Ok(answered) => answered,
        },
        // There is nobody on loopback with a certificate; a checker does not validate it either.
        _ => Err("Failure: SSL handshake failed: the simulator does not speak TLS".to_owned()),
    }
}

async fn get(look: &Look, stream: TcpStream) -> Result<String, String> {
    let broken = |error: hyper::Error| format!("Failure: Connection failed: {error}");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let host = look.target.host.clone().or_else(|| look.target.ip.map(|ip: IpAddr| ip.to_string()));
    let request = Request::get(&look.target.path)
        .header("host", host.unwrap_or_default())
        .header("user-agent", "Amazon-Route53-Health-Check-Service (simulated)")
        .header("connection", "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| format!("Failure: {error}"))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let words = format!(
            "HTTP Status Code {}, {}",
            status.as_u16(),
            status.canonical_reason().unwrap_or_default()
        );
        if !(status.is_success() || status.is_redirection()) {
            return Err(format!("Failure: {words}"));
        }
        let Some(search) = &look.target.search else { return Ok(format!("Success: {words}")) };
        let body = response.into_body().collect().await.map_err(broken)?.to_bytes();
        let body =
            String::from_utf8_lossy(body.get(..SEARCHED.min(body.len())).unwrap_or_default()).into_owned();
        if body.contains(search.as_str()) {
            Ok(format!("Success: {words}"))
        } else {
            Err(format!("Failure: {words}, but the search string was not found"))
        }
    };
    tokio::pin!(connection);
    tokio::pin!(exchange);
    tokio::select! {
        answered = &mut exchange => answered,
        ended = &mut connection => match ended {
            Ok(()) => exchange.await,
            Err(error) => Err(broken(error)),
        },
    }
}

impl World {
    /// The address of a name that the account's own zones hold, as the first name server knows it.
    fn resolve(&mut self, target: &Target) -> Option<SocketAddr> {
        let host = crate::route53::normal(target.host.as_deref()?);
        let ip = match crate::dns::address(self, &host) {
            Some(ip) => ip,
            None => *self.balancers.get(&host)?.addresses.first()?,
        };
        Some(SocketAddr::new(ip, target.port))
    }
}
