//! Who calls what, where: the credential scope of Signature Version 4.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use hyper::HeaderMap;

use super::ApiError;

/// The scope of a signed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) access_key: String,
    pub(crate) region: String,
    pub(crate) service: String,
    /// The session token of temporary credentials.
    pub(crate) token: Option<String>,
}

impl Scope {
    /// Reads the `Authorization` header. The signature itself is not recomputed: the simulator knows no secrets.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let missing = || ApiError::new(403, "MissingAuthenticationToken", "Missing Authentication Token");
        let header = headers.get(hyper::header::AUTHORIZATION).ok_or_else(missing)?;
        let header = header.to_str().map_err(|_| incomplete("unreadable"))?;
        let fields = header
            .strip_prefix("AWS4-HMAC-SHA256")
            .ok_or_else(|| incomplete("Unsupported AWS 'algorithm'"))?;
        let field = |name: &str| {
            fields
                .split(',')
                .filter_map(|field| field.trim().split_once('='))
                .find_map(|(key, value)| (key == name).then_some(value))
                .ok_or_else(|| incomplete(&format!("Authorization header requires '{name}' parameter.")))
        };
        let credential = field("Credential")?;
        let signature = field("Signature")?;
        field("SignedHeaders")?;
        if signature.len() != 64 || !signature.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ApiError::new(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
            ));
        }
        let parts: Vec<&str> = credential.rsplitn(5, '/').collect();
        let [end, service, region, date, access_key] = parts.as_slice() else {
            return Err(incomplete("Credential must have exactly 5 slash-delimited elements"));
        };
        if *end != "aws4_request" {
            return Err(incomplete("Credential should be scoped with a valid terminator: 'aws4_request'"));
        }
        let signed_at = headers.get("x-amz-date").and_then(|date| date.to_str().ok()).unwrap_or_default();
        if !signed_at.starts_with(date) || date.is_empty() {
            return Err(ApiError::new(
                403,
                "SignatureDoesNotMatch",
                format!(
                    "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{date}' != '{signed_at}'"
                ),
            ));
        }
        Ok(Self {
            access_key: (*access_key).to_owned(),
            region: (*region).to_owned(),
            service: (*service).to_owned(),
            token: headers
                .get("x-amz-security-token")
                .and_then(|token| token.to_str().ok())
                .map(str::to_owned),
        })
    }
}

fn incomplete(message: &str) -> ApiError {
    ApiError::new(400, "IncompleteSignature", message)
}
