//! What an answer says about a right.

use dr_core::resource::Proof;

use crate::error::AwsError;

/// What the answer to a call says about the right to make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It was carried out, or found nothing to do.
    Allowed(String),
    /// The right is missing.
    Denied(String),
    /// Neither can be told.
    Else(String),
}

impl Answer {
    /// `nothing` are the codes that say that there is nothing of the name that was made up.
    pub(crate) fn of<T>(result: Result<T, AwsError>, nothing: &[&str]) -> Self {
        match result {
            Ok(_) => Self::Allowed("it was answered".to_owned()),
            Err(error) if error.is_denied() => Self::Denied(error.to_string()),
            Err(error) if nothing.iter().any(|code| error.is(code)) => {
                Self::Allowed("allowed, and found nothing of that name".to_owned())
            }
            Err(error) => Self::Else(error.to_string()),
        }
    }

    /// As a proof. `real` is the name of the thing that a narrow policy may name alone.
    pub(crate) fn proof(self, what: String, real: &str) -> Proof {
        match self {
            Self::Allowed(said) => Proof::proven(what, said),
            Self::Denied(said) => Proof::missing(
                what,
                format!("{said}; if the policy names {real} alone, this name was not covered"),
            ),
            Self::Else(said) => Proof::unknown(what, said),
        }
    }
}
