//! TLS as callers speak it: the system's trust, and a file of one's own.

use std::path::Path;
use std::sync::Arc;

use dr_core::{Error, ErrorKind, Result};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// Reads what is trusted. The provider is named, so that nothing depends on a process-wide default.
pub(super) fn connector(ca: Option<&Path>) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    if let Some(path) = ca {
        let unreadable = |error: rustls::pki_types::pem::Error| {
            Error::invalid("the certificates cannot be read")
                .during("connect")
                .on(path.display().to_string())
                .because(error)
        };
        for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
            roots.add(certificate.map_err(unreadable)?).map_err(|error| {
                Error::invalid("a certificate cannot be used").on(path.display().to_string()).because(error)
            })?;
        }
    }
    if roots.is_empty() {
        return Err(Error::new(
            ErrorKind::NotFound,
            "no trusted certificates: install ca-certificates, or name a file in tls.ca",
        )
        .not_happened());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::unsupported("TLS cannot be set up").because(error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
