//! Where the command finds secrets: environment variables and files.

use async_trait::async_trait;
use dr_core::resource::{Secret, SecretRef, SecretSource};
use dr_core::{Error, ErrorKind, Result};

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
