//! Each resource's configuration, read by the backend of its kind. Pure: no credentials, no network.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::codes;
use crate::ids::ResourceName;
use crate::plan::{Finding, Plan, closest, conformed};
use crate::resource::{Backends, Configured};

/// Configures every resource of a plan.
///
/// Where a backend's schema wants a text and the plan has a number (an account, a port), it is given the text.
///
/// # Errors
/// Every kind that no backend is there for, and everything that a backend found wrong, with its place.
pub fn configure(
    plan: &Plan,
    backends: &Backends,
) -> Result<BTreeMap<ResourceName, Arc<dyn Configured>>, Vec<Finding>> {
    let mut findings = Vec::new();
    let mut configured: BTreeMap<ResourceName, Arc<dyn Configured>> = BTreeMap::new();
    for (name, spec) in &plan.resources {
        let Some(backend) = backends.get(&spec.kind) else {
            let kinds: Vec<&str> = backends.kinds().collect();
            let near = closest(&spec.kind, kinds.iter().copied());
            findings.push(Finding::error(
                codes::UNKNOWN_KIND,
                spec.place("/kind"),
                format!("`{name}` is of kind `{}`, which this program does not know", spec.kind),
                match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the kinds are: {}", kinds.join(", ")),
                },
            ));
            continue;
        };
        match backend.configure(conformed(&spec.config, &backend.schema())) {
            Ok(it) => {
                configured.insert(name.clone(), Arc::from(it));
            }
            Err(errors) => findings.extend(errors.into_iter().map(|error| {
                let pointer = error.pointer.trim_start_matches('/');
                let at = if pointer.is_empty() { String::new() } else { format!(" at `{pointer}`") };
                Finding::error(
                    codes::BAD_CONFIG,
                    spec.place(&error.pointer),
                    format!("`{name}` ({}){at}: {}", spec.kind, without_value(&error.message)),
                    meant(&error.message)
                        .unwrap_or_else(|| format!("see `dr schema` for what kind `{}` takes", spec.kind)),
                )
            })),
        }
    }
    if findings.is_empty() {
        Ok(configured)
    } else {
        findings.sort_by_key(|finding| finding.place);
        Err(findings)
    }
}

/// The field that was meant, where the message is serde's own: ``unknown field `ulr`, expected one of `url`, …``.
fn meant(message: &str) -> Option<String> {
    let mut quoted = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    let near = closest(quoted.next()?, quoted)?;
    Some(format!("did you mean `{near}`?"))
}

/// Serde's own message without the value in it: what stands where more was meant to stand may be a secret.
fn without_value(message: &str) -> String {
    for (begins, ends) in
        [("string \"", "\", expected "), ("integer `", "`, expected "), ("point `", "`, expected ")]
    {
        let at = message.find(begins).zip(message.rfind(ends)).filter(|(from, to)| from < to);
        if let Some((from, to)) = at.filter(|_| message.starts_with("invalid ")) {
            let what = begins.split([' ']).next().unwrap_or_default();
            return format!("{}{what}, {}", &message[..from], &message[to + 3..]);
        }
    }
    message.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P28: a secret in the place of the table that should refer to it.
    ///
    /// Found: the finding quoted it.
    #[test]
    fn a_value_of_the_wrong_type_is_not_repeated() {
        let told =
            without_value("invalid type: string \"canary\", expected \", expected\", expected struct Key");
        assert_eq!(told, "invalid type: string, expected struct Key");
        let told = without_value("invalid type: integer `704177`, expected struct Key");
        assert_eq!(told, "invalid type: integer, expected struct Key");
        assert_eq!(without_value("`ttl` is missing"), "`ttl` is missing");
    }
}
