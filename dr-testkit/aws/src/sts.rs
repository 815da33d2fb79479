//! STS: who one is, and temporary credentials.
//!
//! The global endpoint is us-east-1's; each region has one of its own:
//! <https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html>.

use std::time::Duration;

use crate::server::unknown;
use crate::service::Service;
use crate::wire::{Answer, ApiError, Node, Request, Scope};
use crate::world::World;

/// Carries a call out.
pub(crate) fn perform(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    match request.action.as_str() {
        "GetCallerIdentity" => Ok(identity(request)),
        "AssumeRole" => assume(world, request),
        other => Err(unknown(Service::Sts, other)),
    }
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
fn identity(request: &Request) -> Answer {
    let node = Node::map()
        .put("Arn", format!("arn:aws:iam::{}:user/{}", request.account, request.access_key))
        .put("UserId", &request.access_key)
        .put("Account", &request.account);
    Answer::of(node)
}

/// The role's account is the caller's from then on, for an hour unless told otherwise.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
fn assume(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let (arn, session) = (input.need("RoleArn")?, input.need("RoleSessionName")?);
    let (account, role) = arn
        .strip_prefix("arn:aws:iam::")
        .and_then(|rest| rest.split_once(":role/"))
        .ok_or_else(|| ApiError::new(400, "ValidationError", format!("{arn} is invalid")))?;
    let seconds = input.int("DurationSeconds")?.unwrap_or(3_600);
    if !(900..=43_200).contains(&seconds) {
        return Err(ApiError::new(
            400,
            "ValidationError",
            format!(
                "1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to satisfy constraint: Member must have value between 900 and 43200"
            ),
        ));
    }
    let lasts = Duration::from_secs(u64::try_from(seconds).unwrap_or(3_600));
    let key = world.ids.upper("ASIA", 16);
    let secret = world.ids.lower("", 40);
    let token = world.ids.lower("", 120);
    world.sessions.insert(key.clone(), account.to_owned());
    let role_id = world.ids.upper("AROA", 17);
    let node = Node::map()
        .put(
            "Credentials",
            Node::map()
                .put("AccessKeyId", key)
                .put("SecretAccessKey", secret)
                .put("SessionToken", token)
                .put("Expiration", world.clock.wall().plus(lasts)),
        )
        .put(
            "AssumedRoleUser",
            Node::map()
                .put("AssumedRoleId", format!("{role_id}:{session}"))
                .put("Arn", format!("arn:aws:sts::{account}:assumed-role/{role}/{session}")),
        );
    Ok(Answer::of(node))
}

impl World {
    /// Whose credentials these are.
    ///
    /// Temporary ones are known by their key; twelve digits are an account by themselves, as other simulators have it.
    pub(crate) fn account_of(&self, scope: &Scope) -> Result<String, ApiError> {
        if scope.access_key.starts_with("ASIA") {
            let known = self.sessions.get(&scope.access_key).filter(|_| scope.token.is_some());
            return known.cloned().ok_or_else(|| {
                ApiError::new(
                    403,
                    "InvalidClientTokenId",
                    "The security token included in the request is invalid.",
                )
            });
        }
        let digits =
            scope.access_key.len() == 12 && scope.access_key.bytes().all(|byte| byte.is_ascii_digit());
        Ok(if digits { scope.access_key.clone() } else { self.account.clone() })
    }
}
