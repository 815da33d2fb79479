//! What can be made to go wrong.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::service::Service;
use crate::wire::{ApiError, Protocol, Request};

/// A way in which calls fail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fault {
    /// Refused for asking too often, in the service's own words.
    Throttled,
    /// 500.
    InternalFailure,
    /// 503.
    ServiceUnavailable,
    /// 502 with a page of HTML, as a load balancer in between answers.
    HtmlErrorPage,
    /// The credentials have expired.
    ExpiredCredentials,
    /// Route 53 has not finished the zone's last request.
    PriorRequestNotComplete,
    /// The answer comes this many milliseconds later.
    LatencyMillis(u64),
    /// The connection is accepted and never answered.
    BlackHole,
    /// The connection is cut before anything is done; a region's own endpoint takes none.
    Refused,
    /// The call is carried out and the connection cut before the answer.
    LostReply,
}

/// A fault and the calls it meets.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    pub(crate) fault: Fault,
    pub(crate) service: Option<Service>,
    pub(crate) region: Option<String>,
    pub(crate) action: Option<String>,
    pub(crate) times: Option<u32>,
}

/// Names a failure, to end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FailureId(pub(crate) u64);

impl Failure {
    /// Every call fails like this, until it is healed.
    pub const fn new(fault: Fault) -> Self {
        Self { fault, service: None, region: None, action: None, times: None }
    }

    /// Only calls of one service.
    #[must_use]
    pub fn service(mut self, service: Service) -> Self {
        self.service = Some(service);
        self
    }

    /// Only calls that are sent to one region. Route 53's, and those of the global STS endpoint, are us-east-1's.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Only calls of one action: `PromoteReadReplica`.
    #[must_use]
    pub fn action(mut self, action: impl Into<String>) -> Self {
        self.action = Some(action.into());
        self
    }

    /// Only the next so many calls.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    fn meets(&self, request: &Request) -> bool {
        self.service.is_none_or(|service| service == request.service)
            && self.region.as_ref().is_none_or(|region| *region == request.region)
            && self.action.as_ref().is_none_or(|action| *action == request.action)
            && self.times != Some(0)
    }
}

/// What the faults in force make of one call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meeting {
    pub(crate) wait: Duration,
    pub(crate) silent: bool,
    pub(crate) cut: bool,
    pub(crate) page: bool,
    pub(crate) error: Option<ApiError>,
    pub(crate) lose_reply: bool,
}

/// The faults in force.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    armed: Vec<(FailureId, Failure)>,
    next: u64,
}

impl Faults {
    pub(crate) fn arm(&mut self, failure: Failure) -> FailureId {
        self.next += 1;
        let id = FailureId(self.next);
        self.armed.push((id, failure));
        id
    }

    pub(crate) fn heal(&mut self, id: FailureId) {
        self.armed.retain(|(armed, _)| *armed != id);
    }

    pub(crate) fn heal_all(&mut self) {
        self.armed.clear();
    }

    /// Whether a region as a whole takes no connection.
    pub(crate) fn refuses(&self, region: &str) -> bool {
        self.armed.iter().any(|(_, failure)| {
            failure.fault == Fault::Refused
                && failure.service.is_none()
                && failure.action.is_none()
                && failure.region.as_deref() == Some(region)
        })
    }

    /// Lets a call run into whatever is in its way.
    pub(crate) fn meet(&mut self, request: &Request) -> Meeting {
        let mut meeting = Meeting::default();
        for (_, failure) in &mut self.armed {
            if !failure.meets(request) {
                continue;
            }
            if let Some(times) = &mut failure.times {
                *times -= 1;
            }
            match &failure.fault {
                Fault::LatencyMillis(millis) => meeting.wait += Duration::from_millis(*millis),
                Fault::BlackHole => meeting.silent = true,
                Fault::Refused => meeting.cut = true,
                Fault::HtmlErrorPage => meeting.page = true,
                Fault::LostReply => meeting.lose_reply = true,
                Fault::Throttled => meeting.error = Some(throttled(request)),
                Fault::InternalFailure => meeting.error = Some(internal(request)),
                Fault::ServiceUnavailable => meeting.error = Some(unavailable(request)),
                Fault::ExpiredCredentials => meeting.error = Some(expired(request)),
                Fault::PriorRequestNotComplete => meeting.error = Some(prior(request)),
            }
        }
        meeting
    }
}

/// <https://docs.aws.amazon.com/Route53/latest/APIReference/CommonErrors.html> and each service's own.
pub(crate) fn throttled(request: &Request) -> ApiError {
    match request.protocol {
        Protocol::S3 => ApiError::new(503, "SlowDown", "Please reduce your request rate."),
        Protocol::Json11 => ApiError::new(400, "TooManyRequestsException", "Rate exceeded"),
        Protocol::RestJson => ApiError::new(429, "ThrottlingException", "Rate exceeded"),
        Protocol::Cbor => ApiError::new(400, "ThrottlingException", "Rate exceeded"),
        Protocol::Query(_) | Protocol::RestXml => ApiError::new(400, "Throttling", "Rate exceeded"),
    }
}

fn internal(request: &Request) -> ApiError {
    match request.protocol {
        Protocol::S3 => {
            ApiError::new(500, "InternalError", "We encountered an internal error. Please try again.")
        }
        Protocol::RestJson => ApiError::new(500, "ServerException", "An internal error occurred"),
        _ => ApiError::new(
            500,
            "InternalFailure",
            "The request processing has failed because of an unknown error, exception or failure.",
        ),
    }
}

fn unavailable(request: &Request) -> ApiError {
    let code = if request.protocol == Protocol::RestJson {
        "ServiceUnavailableException"
    } else {
        "ServiceUnavailable"
    };
    ApiError::new(503, code, "The request has failed due to a temporary failure of the server.")
}

fn expired(request: &Request) -> ApiError {
    let (status, code) = match request.protocol {
        Protocol::S3 => (400, "ExpiredToken"),
        Protocol::RestJson | Protocol::Json11 | Protocol::Cbor => (403, "ExpiredTokenException"),
        Protocol::Query(_) | Protocol::RestXml => (403, "ExpiredToken"),
    };
    ApiError::new(status, code, "The security token included in the request is expired")
}

fn prior(_request: &Request) -> ApiError {
    ApiError::new(
        400,
        "PriorRequestNotComplete",
        "The request was rejected because Route 53 was still processing a prior request.",
    )
}

/// A call for which the right is missing.
pub(crate) fn denied(request: &Request, permission: &str) -> ApiError {
    let message = format!(
        "User: arn:aws:iam::{}:user/{} is not authorized to perform: {permission} because no identity-based policy allows the {permission} action",
        request.account, request.access_key
    );
    let code = match request.protocol {
        Protocol::RestJson | Protocol::Json11 | Protocol::Cbor => "AccessDeniedException",
        Protocol::Query(_) | Protocol::RestXml | Protocol::S3 => "AccessDenied",
    };
    ApiError::new(403, code, message)
}
