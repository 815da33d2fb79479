//! What goes wrong at AWS, and what it means to whoever decides.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use dr_core::time::show_duration;
use dr_core::{Error, ErrorKind, Region};

use crate::asking::Op;

/// A call that failed: which, where, and why.
#[derive(Debug)]
pub(crate) struct AwsError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    op: Op,
    why: Why,
    /// What AWS's support asks for.
    request: Option<String>,
    /// The least wait before another try, where the service named one.
    after: Option<Duration>,
}

/// Why a call failed. The texts are fragments.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Why {
    /// The service understood, and answered with an error of its own.
    #[error("{code}: {message}")]
    Said { status: u16, code: String, message: String },
    /// It answers, and not as the service does: a load balancer's page, a proxy's.
    #[error("an answer that cannot be understood (HTTP {status}{})", hint.as_ref().map(|hint| format!(": {hint}")).unwrap_or_default())]
    Garbled { status: u16, hint: Option<String> },
    /// No connection ever stood: nothing was sent.
    #[error("cannot be reached ({0})")]
    NotSent(String),
    /// The connection broke; the request may have arrived.
    #[error("the connection broke ({0})")]
    Broken(String),
    /// The time for one answer, or all time, is over.
    #[error("no answer within {}", show_duration(*.0))]
    Silent(Duration),
    /// There are no credentials to sign with: nothing was sent.
    #[error("no credentials could be had ({said})")]
    NoCredentials { said: String, passing: bool },
    /// The request could not even be written.
    #[error("the request cannot be made ({0})")]
    Unmakeable(String),
    /// The run was told to stop.
    #[error("the run was told to stop")]
    Stopped,
}

/// What an answered error means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Throttled,
    NotUs,
    Denied,
    NotFound,
    Conflict,
    NotReady,
    Limit,
    Invalid,
    Down,
    Unknown,
}

impl AwsError {
    pub(crate) fn new(op: Op, why: Why) -> Self {
        Self(Box::new(Inner { op, why, request: None, after: None }))
    }

    /// Sorts what the SDK says. `took` is how long it took to say it.
    pub(crate) fn of<E>(op: Op, error: &SdkError<E, HttpResponse>, took: Duration) -> Self
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let why = match error {
            SdkError::ConstructionFailure(_) => {
                credentials(error).unwrap_or_else(|| Why::Unmakeable(causes(error)))
            }
            SdkError::TimeoutError(_) => Why::Silent(took),
            SdkError::DispatchFailure(failure) => credentials(error).unwrap_or_else(|| {
                if never_connected(error) {
                    Why::NotSent(last_cause(error))
                } else if failure.is_timeout() {
                    Why::Silent(took)
                } else {
                    Why::Broken(last_cause(error))
                }
            }),
            SdkError::ResponseError(response) => {
                Why::Garbled { status: response.raw().status().as_u16(), hint: hint(response.raw()) }
            }
            SdkError::ServiceError(answered) => {
                let (status, error) = (answered.raw().status().as_u16(), answered.err());
                match error.code().filter(|code| !code.is_empty()) {
                    Some(code) => Why::Said {
                        status,
                        code: code.to_owned(),
                        message: error.message().unwrap_or("no message").to_owned(),
                    },
                    None => Why::Garbled { status, hint: hint(answered.raw()) },
                }
            }
            _ => Why::Broken(causes(error)),
        };
        let header = |name: &str| error.raw_response().and_then(|raw| raw.headers().get(name));
        let request = header("x-amzn-requestid").or(header("x-amz-request-id")).map(str::to_owned);
        let after = header("retry-after").and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        Self(Box::new(Inner { op, why, request, after }))
    }

    /// The service's own code for it, if the service answered: `InvalidChangeBatch`.
    pub(crate) fn code(&self) -> Option<&str> {
        match &self.0.why {
            Why::Said { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether the service answered with that code. A `Fault` or `Exception` at its end, as some services write it,
    /// makes no difference.
    pub(crate) fn is(&self, code: &str) -> bool {
        self.code().is_some_and(|said| bare(said) == bare(code))
    }

    /// What the service said beside the code.
    pub(crate) fn message(&self) -> Option<&str> {
        match &self.0.why {
            Why::Said { message, .. } => Some(message),
            _ => None,
        }
    }

    /// Whether the service says that it does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(&self.0.why, Why::Said { status, code, .. } if meaning(*status, code) == Meaning::NotFound)
    }

    /// Whether the right to make this very call is missing. Credentials that are no good say nothing about rights.
    pub(crate) fn is_denied(&self) -> bool {
        matches!(&self.0.why, Why::Said { status, code, .. } if meaning(*status, code) == Meaning::Denied)
    }

    /// Whether it was asked too often, which is only told before anything is done.
    pub(crate) fn is_throttled(&self) -> bool {
        match &self.0.why {
            Why::Said { status, code, .. } => meaning(*status, code) == Meaning::Throttled,
            Why::Garbled { status, .. } => *status == 429,
            _ => false,
        }
    }

    /// Whether another try in a moment may go better.
    pub(crate) fn is_passing(&self) -> bool {
        match &self.0.why {
            Why::Said { status, code, .. } => {
                matches!(meaning(*status, code), Meaning::Throttled | Meaning::Down)
            }
            Why::Garbled { status, .. } => *status >= 500 || *status == 429,
            Why::NotSent(_) | Why::Broken(_) | Why::Silent(_) => true,
            Why::NoCredentials { passing, .. } => *passing,
            Why::Unmakeable(_) | Why::Stopped => false,
        }
    }

    /// The least wait before another try, where the service named one.
    pub(crate) fn after(&self) -> Option<Duration> {
        self.0.after
    }

    /// Whether it is proven that nothing was done.
    pub(crate) fn did_nothing(&self) -> bool {
        if !self.0.op.changes {
            return true;
        }
        match &self.0.why {
            Why::NotSent(_) | Why::NoCredentials { .. } | Why::Unmakeable(_) => true,
            Why::Said { status, code, .. } => match meaning(*status, code) {
                Meaning::Throttled => true,
                // The service failed somewhere on its way.
                Meaning::Down => false,
                _ => (400..500).contains(status),
            },
            Why::Garbled { .. } | Why::Broken(_) | Why::Silent(_) | Why::Stopped => false,
        }
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.why.fmt(f)
    }
}

impl StdError for AwsError {}

impl From<AwsError> for Error {
    fn from(error: AwsError) -> Self {
        let nothing = error.did_nothing();
        let passing = error.is_passing();
        let Inner { op, why, request, after } = *error.0;
        let mut made = made(&op, why).during(op.name()).with("region", op.region.to_string());
        if let Some(request) = request {
            made = made.with("request", request);
        }
        if passing && after.is_some() {
            made = made.transient(after);
        }
        if nothing { made.not_happened() } else { made }
    }
}

fn made(op: &Op, why: Why) -> Error {
    match why {
        Why::Said { status, code, message } => said(op, status, &code, &message),
        Why::Garbled { status, .. } => {
            let kind = match status {
                429 => ErrorKind::Throttled,
                401 | 403 => ErrorKind::Unauthorized,
                500.. => ErrorKind::NotReady,
                _ => ErrorKind::Unknown,
            };
            Error::new(kind, why.to_string())
        }
        Why::NotSent(_) | Why::Broken(_) => Error::new(ErrorKind::Unreachable, why.to_string()),
        Why::Silent(_) => Error::new(ErrorKind::Timeout, why.to_string()),
        Why::NoCredentials { passing: true, .. } => Error::new(ErrorKind::Unreachable, why.to_string()),
        Why::NoCredentials { passing: false, .. } => Error::new(
            ErrorKind::Unauthorized,
            format!("{why}: log in (`aws sso login`), set AWS_PROFILE, or name a `profile` in the plan"),
        ),
        Why::Unmakeable(_) => Error::new(ErrorKind::Invalid, why.to_string()),
        Why::Stopped => Error::new(ErrorKind::Cancelled, why.to_string()),
    }
}

fn said(op: &Op, status: u16, code: &str, message: &str) -> Error {
    let text = format!("{code}: {message}");
    match meaning(status, code) {
        Meaning::Throttled => Error::new(ErrorKind::Throttled, text),
        Meaning::NotUs => Error::new(ErrorKind::Unauthorized, format!("{}: {text}", not_us(code))),
        Meaning::Denied => {
            Error::new(ErrorKind::Unauthorized, format!("the right `{}` is missing: {text}", op.permission))
        }
        Meaning::NotFound => Error::new(ErrorKind::NotFound, text),
        Meaning::Conflict => Error::new(ErrorKind::Conflict, text),
        Meaning::NotReady | Meaning::Down => Error::new(ErrorKind::NotReady, text),
        Meaning::Limit => {
            Error::new(ErrorKind::Refused, format!("a quota of the account is used up: {text}"))
        }
        Meaning::Invalid => Error::new(ErrorKind::Invalid, text),
        Meaning::Unknown => Error::new(ErrorKind::Unknown, text),
    }
}

fn not_us(code: &str) -> &'static str {
    match bare(code) {
        "ExpiredToken" | "TokenRefreshRequired" => {
            "the credentials have expired: renew them (`aws sso login`, a new session), then resume the run"
        }
        "RequestExpired" | "RequestTimeTooSkewed" => {
            "AWS does not accept this machine's clock: set it by NTP, then resume the run"
        }
        "SignatureDoesNotMatch" | "InvalidSignature" | "IncompleteSignature" => {
            "the secret key does not belong to the access key, or this machine's clock is wrong"
        }
        "OptInRequired" => "the account is not signed up for this service or region",
        _ => "AWS does not know these credentials: check the profile or key that the plan names",
    }
}

/// What codes mean, over all services; each service writes the same in its own way.
///
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonErrors.html>, and the common errors of each service.
fn meaning(status: u16, code: &str) -> Meaning {
    let ends = |endings: &[&str]| endings.iter().any(|ending| bare(code).ends_with(ending));
    match bare(code) {
        "Throttling"
        | "Throttled"
        | "RequestThrottled"
        | "TooManyRequests"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "SlowDown"
        | "PriorRequestNotComplete"
        | "TransactionInProgress"
        | "EC2Throttled"
        | "ThrottledByService" => Meaning::Throttled,
        "ExpiredToken"
        | "TokenRefreshRequired"
        | "InvalidClientTokenId"
        | "UnrecognizedClient"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidSignature"
        | "IncompleteSignature"
        | "AuthFailure"
        | "MissingAuthenticationToken"
        | "RequestExpired"
        | "RequestTimeTooSkewed"
        | "InvalidToken"
        | "OptInRequired" => Meaning::NotUs,
        "AccessDenied" | "UnauthorizedOperation" | "NotAuthorized" | "Unauthorized" | "Forbidden" => {
            Meaning::Denied
        }
        "InternalFailure"
        | "InternalError"
        | "InternalServerError"
        | "InternalService"
        | "ServiceUnavailable"
        | "Server"
        | "ServerInternal" => Meaning::Down,
        "RequestTimeout" => Meaning::Down,
        "PreconditionFailed" | "ConditionalRequestConflict" | "OperationAborted" => Meaning::Conflict,
        _ if code.starts_with("NoSuch") || ends(&["NotFound", "NotExist", "DoesNotExist"]) => {
            Meaning::NotFound
        }
        _ if ends(&["AlreadyExists", "InUse", "Conflict", "VersionMismatch", "AlreadyOwnedByYou"]) => {
            Meaning::Conflict
        }
        _ if ends(&["State", "StateTransition", "NotReady"]) => Meaning::NotReady,
        _ if ends(&[
            "QuotaExceeded",
            "LimitExceeded",
            "InsufficientDBInstanceCapacity",
            "InsufficientCapacity",
        ]) || code.starts_with("TooMany") =>
        {
            Meaning::Limit
        }
        _ if status >= 500 => Meaning::Down,
        _ if code.starts_with("Invalid")
            || code.starts_with("Malformed")
            || code.starts_with("Missing")
            || ends(&["Validation", "ValidationError"]) =>
        {
            Meaning::Invalid
        }
        _ if status == 403 => Meaning::Denied,
        _ if status == 404 => Meaning::NotFound,
        _ if status == 409 || status == 412 => Meaning::Conflict,
        _ => Meaning::Unknown,
    }
}

/// A code without the ending that some services give it.
fn bare(code: &str) -> &str {
    // JSON services may put a name space before it and an address behind it.
    let code = code.rsplit('#').next().unwrap_or(code);
    let code = code.split(':').next().unwrap_or(code);
    ["Exception", "Fault"].iter().find_map(|ending| code.strip_suffix(ending)).unwrap_or(code)
}

fn credentials(error: &(dyn StdError + 'static)) -> Option<Why> {
    chain(error).find_map(|cause| cause.downcast_ref::<CredentialsError>()).map(|error| {
        // STS that does not answer is a region's trouble; any other reason is a person's to mend.
        let passing = matches!(error, CredentialsError::ProviderTimedOut(_))
            || chain(error).filter_map(|cause| cause.downcast_ref::<AwsError>()).any(AwsError::is_passing);
        Why::NoCredentials { said: causes(error), passing }
    })
}

/// Whether no connection ever stood, so that nothing can have been sent.
fn never_connected(error: &(dyn StdError + 'static)) -> bool {
    let connecting = |cause: &(dyn StdError + 'static)| {
        cause.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(|error| error.is_connect())
    };
    let refused = |cause: &(dyn StdError + 'static)| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    };
    chain(error).any(|cause| connecting(cause) || refused(cause))
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| StdError::source(*error))
}

fn causes(error: &(dyn StdError + 'static)) -> String {
    chain(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn last_cause(error: &(dyn StdError + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

/// What kind of thing answered instead of the service.
fn hint(raw: &HttpResponse) -> Option<String> {
    let kind = raw.headers().get("content-type")?.split(';').next()?.trim().to_owned();
    let by = raw.headers().get("server").map(|server| format!(" from {server}")).unwrap_or_default();
    Some(format!("{kind}{by}"))
}

/// The region that a call goes to, as errors name it.
impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.permission, self.region)
    }
}

impl Op {
    /// What an error names as its operation: `ChangeResourceRecordSets`.
    fn name(&self) -> &'static str {
        self.permission.split_once(':').map_or(self.permission, |(_, name)| name)
    }

    /// The same call to another region.
    pub(crate) fn at(mut self, region: &Region) -> Self {
        self.region = region.clone();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dr_core::{Happened, Retry};

    fn said(op: Op, status: u16, code: &str) -> Error {
        AwsError::new(op, Why::Said { status, code: code.to_owned(), message: "as it says".to_owned() })
            .into()
    }

    fn changes() -> Op {
        Op::changes("route53:ChangeResourceRecordSets")
    }

    #[test]
    fn codes_of_all_services_have_one_meaning() {
        for (status, code, kind) in [
            (400, "Throttling", ErrorKind::Throttled),
            (400, "ThrottlingException", ErrorKind::Throttled),
            (503, "SlowDown", ErrorKind::Throttled),
            (429, "TooManyRequestsException", ErrorKind::Throttled),
            (400, "PriorRequestNotComplete", ErrorKind::Throttled),
            (403, "ExpiredToken", ErrorKind::Unauthorized),
            (400, "ExpiredTokenException", ErrorKind::Unauthorized),
            (403, "InvalidClientTokenId", ErrorKind::Unauthorized),
            (403, "SignatureDoesNotMatch", ErrorKind::Unauthorized),
            (403, "AccessDenied", ErrorKind::Unauthorized),
            (400, "AccessDeniedException", ErrorKind::Unauthorized),
            (404, "NoSuchHostedZone", ErrorKind::NotFound),
            (404, "DBInstanceNotFound", ErrorKind::NotFound),
            (404, "DBSnapshotNotFoundFault", ErrorKind::NotFound),
            (404, "ResourceNotFoundException", ErrorKind::NotFound),
            (400, "DBSnapshotAlreadyExists", ErrorKind::Conflict),
            (409, "ResourceInUseException", ErrorKind::Conflict),
            (409, "HealthCheckVersionMismatch", ErrorKind::Conflict),
            (412, "PreconditionFailed", ErrorKind::Conflict),
            (400, "InvalidDBInstanceState", ErrorKind::NotReady),
            (400, "InvalidGlobalClusterStateFault", ErrorKind::NotReady),
            (500, "InternalFailure", ErrorKind::NotReady),
            (503, "ServiceUnavailable", ErrorKind::NotReady),
            (400, "SnapshotQuotaExceeded", ErrorKind::Refused),
            (400, "InvalidParameterValue", ErrorKind::Invalid),
            (400, "ValidationError", ErrorKind::Invalid),
            (400, "ValidationException", ErrorKind::Invalid),
            (418, "Teapot", ErrorKind::Unknown),
        ] {
            let error = said(changes(), status, code);
            assert_eq!(error.kind(), kind, "{code}: {error}");
        }
    }

    #[test]
    fn only_what_was_never_done_says_so() {
        let happened = |op: Op, why: Why| Error::from(AwsError::new(op, why)).happened();
        assert_eq!(said(changes(), 400, "Throttling").happened(), Happened::No);
        assert_eq!(said(changes(), 503, "SlowDown").happened(), Happened::No);
        assert_eq!(said(changes(), 403, "AccessDenied").happened(), Happened::No);
        assert_eq!(said(changes(), 500, "InternalFailure").happened(), Happened::Maybe);
        assert_eq!(happened(changes(), Why::Broken("reset".to_owned())), Happened::Maybe);
        assert_eq!(happened(changes(), Why::Silent(Duration::from_secs(1))), Happened::Maybe);
        assert_eq!(happened(changes(), Why::Garbled { status: 400, hint: None }), Happened::Maybe);
        assert_eq!(happened(changes(), Why::NotSent("refused".to_owned())), Happened::No);
        assert_eq!(happened(Op::reads("route53:GetChange"), Why::Stopped), Happened::No);
    }

    /// P23: an HTML page instead of AWS's error.
    #[test]
    fn a_page_of_html_is_unknown_unless_its_status_says_more() {
        let kind = |status| Error::from(AwsError::new(changes(), Why::Garbled { status, hint: None })).kind();
        assert_eq!(kind(200), ErrorKind::Unknown);
        assert_eq!(kind(400), ErrorKind::Unknown);
        assert_eq!(kind(403), ErrorKind::Unauthorized);
        assert_eq!(kind(429), ErrorKind::Throttled);
        assert_eq!(kind(502), ErrorKind::NotReady);
    }

    #[test]
    fn words_say_what_to_do() {
        let text = said(changes(), 403, "ExpiredToken").to_string();
        assert!(text.contains("aws sso login"), "{text}");
        let text = said(changes(), 403, "AccessDenied").to_string();
        assert!(text.contains("route53:ChangeResourceRecordSets"), "{text}");
        assert_eq!(said(changes(), 403, "AccessDenied").retry(), Retry::Permanent);
        assert_eq!(said(changes(), 400, "Throttling").retry(), Retry::Transient { after: None });
    }

    #[test]
    fn a_code_is_known_with_and_without_its_ending() {
        let error = AwsError::new(
            changes(),
            Why::Said { status: 404, code: "DBSnapshotNotFoundFault".to_owned(), message: String::new() },
        );
        assert!(
            error.is("DBSnapshotNotFound") && error.is("DBSnapshotNotFoundFault") && error.is_not_found()
        );
        assert!(!error.is("DBInstanceNotFound"));
    }
}
