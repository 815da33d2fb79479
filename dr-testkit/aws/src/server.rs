//! The HTTP server: takes a call, lets it run into what is in its way, carries it out, answers.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::control;
use crate::fault::{self, Fault};
use crate::recorder::Outcome;
use crate::service::Service;
use crate::wire::{ApiError, Protocol, Request, Scope, decode_cbor, parse_form};
use crate::world::{Shared, World};
use crate::{cloudwatch, eks, quotas, rds, route53, s3, sts};

pub(crate) type Reply = Response<Full<Bytes>>;

/// The connection is cut without an answer.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut")
    }
}

impl std::error::Error for Cut {}

/// Serves until it is dropped, and everybody who is being served with it.
pub(crate) async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    let mut callers = JoinSet::new();
    loop {
        // Running out of descriptors passes; a closed listener cannot happen while it is ours.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        while callers.try_join_next().is_some() {}
        callers.spawn(converse(Arc::clone(&shared), stream));
    }
}

pub(crate) async fn converse(shared: Arc<Shared>, stream: TcpStream) {
    // What fails here is one caller's connection; the caller sees it.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { answer(&shared, request).await }
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}

async fn answer(shared: &Shared, request: hyper::Request<Incoming>) -> Result<Reply, Cut> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    if parts.uri.path().starts_with(control::PREFIX) {
        return Ok(control::answer(shared, &parts, &body));
    }
    let id = shared.with(|world| world.chance.uuid());
    let request = match understand(shared, &parts, body, &id) {
        Ok(request) => request,
        Err((protocol, error)) => return Ok(error.write(protocol, &id)),
    };
    let (number, meeting) = shared.with(|world| {
        let at = world.clock.wall();
        let place = (request.account.as_str(), request.region.as_str());
        let number = world.recorder.begin(at, request.service, place, &request.action);
        let mut meeting = world.faults.meet(&request);
        match world.lost.get(&request.region) {
            Some(Fault::Refused) => meeting.cut = true,
            Some(_) => meeting.silent = true,
            None => {}
        }
        (number, meeting)
    });
    if !meeting.wait.is_zero() {
        tokio::time::sleep(meeting.wait).await;
    }
    let end = |outcome: Outcome| shared.with(|world| world.recorder.end(number, outcome));
    if meeting.silent {
        // Until the caller gives up.
        std::future::pending::<Infallible>().await;
    }
    if meeting.cut {
        end(Outcome::Cut);
        return Err(Cut);
    }
    if meeting.page {
        end(Outcome::Refused("502".to_owned()));
        return Ok(error_page());
    }
    let done = match meeting.error {
        Some(error) => Err(error),
        None => shared.with(|world| perform(world, &request)),
    };
    if meeting.lose_reply {
        end(Outcome::ReplyLost);
        return Err(Cut);
    }
    match done {
        Ok(reply) => {
            end(if reply.status().as_u16() < 400 {
                Outcome::Answered
            } else {
                Outcome::Refused(reply.status().as_u16().to_string())
            });
            Ok(reply)
        }
        Err(error) => {
            end(Outcome::Refused(error.code.clone()));
            Ok(error.write(request.protocol, &id))
        }
    }
}

/// Checks what every service checks, then lets the service do it.
fn perform(world: &mut World, request: &Request) -> Result<Reply, ApiError> {
    let permission = request.service.permission(&request.action);
    let all = format!("{}:*", request.service.iam_prefix());
    if world.denied.contains(&permission) || world.denied.contains(&all) {
        return Err(fault::denied(request, &permission));
    }
    if request.service == Service::Route53 {
        route53::allow(world, request)?;
    }
    let answer = match request.service {
        Service::Sts => sts::perform(world, request)?,
        Service::Route53 => route53::perform(world, request)?,
        Service::Rds => rds::perform(world, request)?,
        Service::Eks => eks::perform(world, request)?,
        Service::ServiceQuotas => quotas::perform(world, request)?,
        Service::CloudWatch => cloudwatch::perform(world, request)?,
        Service::S3 => s3::perform(world, request)?,
    };
    Ok(answer.write(request))
}

/// Finds out who asks which service for what.
fn understand(
    shared: &Shared,
    parts: &hyper::http::request::Parts,
    body: Bytes,
    id: &str,
) -> Result<Request, (Protocol, ApiError)> {
    let path: Vec<String> = parts.uri.path().split('/').skip(1).map(percent_decode).collect();
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let unsigned = Protocol::Query("https://sts.amazonaws.com/doc/2011-06-15/");
    let scope = Scope::of(&parts.headers).map_err(|error| (unsigned, error))?;
    let service: Service = scope.service.parse().map_err(|_| {
        let message = format!("Credential should be scoped to correct service, not '{}'.", scope.service);
        (unsigned, ApiError::new(403, "SignatureDoesNotMatch", message))
    })?;
    let protocol = protocol(service, &parts.headers, parts.uri.path());
    let fail = |error| (protocol, error);
    if service == Service::Route53 && scope.region != route53::REGION {
        let message = format!("Credential should be scoped to a valid region, not '{}'. ", scope.region);
        return Err(fail(ApiError::new(403, "SignatureDoesNotMatch", message)));
    }
    let account = shared.with(|world| world.account_of(&scope)).map_err(fail)?;
    let fields = match protocol {
        Protocol::Query(_) => {
            if parts.method == hyper::Method::GET {
                parse_form(parts.uri.query().unwrap_or_default().as_bytes())
            } else {
                parse_form(&body)
            }
        }
        Protocol::RestJson | Protocol::Json11 if !body.is_empty() => serde_json::from_slice(&body)
            .map_err(|error| fail(ApiError::new(400, "SerializationException", error.to_string())))?,
        Protocol::Cbor => decode_cbor(&body).map_err(fail)?,
        Protocol::RestJson | Protocol::Json11 | Protocol::RestXml | Protocol::S3 => Value::Null,
    };
    let method = parts.method.as_str().to_owned();
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let action = match (service, protocol) {
        (Service::Route53, _) => route53::action(&method, &path).map(str::to_owned),
        (Service::Eks, _) => eks::action(&method, &path).map(str::to_owned),
        (Service::S3, _) => {
            let copies = parts.headers.contains_key("x-amz-copy-source");
            s3::action(&method, &path, &query, copies).map(str::to_owned)
        }
        (_, Protocol::Query(_)) => fields.get("Action").and_then(Value::as_str).map(str::to_owned),
        (_, Protocol::Json11) => target.and_then(|target| target.rsplit('.').next()).map(str::to_owned),
        (_, Protocol::Cbor) => path.last().cloned(),
        _ => None,
    };
    let action = action.ok_or_else(|| fail(unknown(service, &format!("{method} {}", parts.uri.path()))))?;
    Ok(Request {
        service,
        region: scope.region,
        account,
        access_key: scope.access_key,
        protocol,
        action,
        path,
        query,
        headers: parts.headers.clone(),
        body,
        fields,
        id: id.to_owned(),
    })
}

/// How a service is spoken to; CloudWatch is asked in three ways.
fn protocol(service: Service, headers: &hyper::HeaderMap, path: &str) -> Protocol {
    match service {
        Service::Sts => Protocol::Query("https://sts.amazonaws.com/doc/2011-06-15/"),
        Service::Rds => Protocol::Query("http://rds.amazonaws.com/doc/2014-10-31/"),
        Service::Route53 => Protocol::RestXml,
        Service::S3 => Protocol::S3,
        Service::Eks => Protocol::RestJson,
        Service::ServiceQuotas => Protocol::Json11,
        Service::CloudWatch if path.contains("/operation/") => Protocol::Cbor,
        Service::CloudWatch if headers.contains_key("x-amz-target") => Protocol::Json11,
        Service::CloudWatch => Protocol::Query("http://monitoring.amazonaws.com/doc/2010-08-01/"),
    }
}

/// What no service here can do: said plainly, and never repeated by an SDK.
pub(crate) fn unknown(service: Service, action: &str) -> ApiError {
    let code = match service {
        Service::Sts | Service::Rds => "InvalidAction",
        Service::Route53 | Service::S3 | Service::Eks | Service::ServiceQuotas | Service::CloudWatch => {
            "UnknownOperationException"
        }
    };
    ApiError::new(400, code, format!("the simulator does not know the operation {action} of {service}"))
}

/// What a load balancer shows when what is behind it is gone.
fn error_page() -> Reply {
    let page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n";
    let mut reply = Response::new(Full::new(Bytes::from_static(page.as_bytes())));
    *reply.status_mut() = StatusCode::BAD_GATEWAY;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    reply
}

/// A segment of a path without its escapes; a plus stays a plus.
pub(crate) fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut after = rest.clone();
        let pair: Vec<u8> = after.by_ref().take(2).collect();
        match std::str::from_utf8(&pair)
            .ok()
            .filter(|pair| pair.len() == 2)
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
        {
            Some(value) => {
                bytes.push(value);
                rest = after;
            }
            None => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
