//! Where the command finds secrets: environment variables and files. And what takes them out of everything it says.

use std::sync::LazyLock;

use async_trait::async_trait;
use dr_core::resource::{Redactor, Secret, SecretRef, SecretSource};
use dr_core::{Error, ErrorKind, Result};

/// One for the whole process: what one part of a command has read, no other part may say.
static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| {
    let redactor = Redactor::default();
    for name in BESIDE_THE_PLAN {
        if let Ok(value) = std::env::var(name)
            && value.len() >= LEAST_SECRET
        {
            redactor.hide(&Secret::new(value));
        }
    }
    redactor
});

/// Secrets that no plan has to name: whoever reaches AWS, for the state store or for a resource, may use them.
const BESIDE_THE_PLAN: [&str; 3] =
    ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"];

/// AWS's own are of forty letters and more: `test` is none, and masked it would take that word out of everything.
const LEAST_SECRET: usize = 16;

/// What masks every secret that this process has met.
pub(crate) fn redactor() -> &'static Redactor {
    &REDACTOR
}

/// The text as it may be said.
pub(crate) fn masked(text: &str) -> String {
    REDACTOR.redact(text)
}

/// `${env:NAME}` and `${file:/path}`; one trailing line feed of a file is not part of the secret.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct EnvironmentAndFiles;

#[async_trait]
impl SecretSource for EnvironmentAndFiles {
    async fn fetch(&self, reference: &SecretRef) -> Result<Secret> {
        let missing =
            |message: String| Error::new(ErrorKind::NotFound, message).not_happened().during("read a secret");
        match reference.scheme() {
            "env" => match std::env::var(reference.name()) {
                Ok(value) if !value.is_empty() => Ok(Secret::new(value)),
                Ok(_) => {
                    Err(missing(format!("the environment variable {} is empty: set it", reference.name())))
                }
                Err(_) => Err(missing(format!(
                    "the environment variable {} is not set: export it",
                    reference.name()
                ))),
            },
            "file" => match tokio::fs::read_to_string(reference.name()).await {
                Ok(text) => Ok(Secret::new(text.strip_suffix('\n').unwrap_or(&text))),
                Err(error) => {
                    Err(missing(format!("the file {} cannot be read", reference.name())).because(error))
                }
            },
            scheme => Err(Error::unsupported(format!(
                "`{reference}`: secrets come from env and file, not from {scheme}"
            ))),
        }
    }
}
