//! The one TLS stack: rustls with aws-lc-rs.

use std::sync::Arc;

use dr_core::{Error, ErrorKind, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::TlsMode;

/// How sessions are protected; cheap to clone.
#[derive(Clone)]
pub(crate) struct Tls(Option<MakeRustlsConnect>);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Tls(on)" } else { "Tls(off)" })
    }
}

impl Tls {
    /// For a mode. Reads the system's roots where they are needed.
    pub(crate) fn new(mode: TlsMode) -> Result<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let failed = |what: &str| Error::new(ErrorKind::Invalid, what.to_owned()).not_happened();
        Ok(Self(match mode {
            TlsMode::Disable => None,
            TlsMode::Require => {
                let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
                    .with_safe_default_protocol_versions()
                    .map_err(|error| failed("TLS cannot be set up").because(error))?
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
                    .with_no_client_auth();
                Some(MakeRustlsConnect::new(config))
            }
            TlsMode::VerifyFull => {
                // The library takes the process's default provider here; two providers in one process would panic.
                if CryptoProvider::get_default().is_none()
                    && aws_lc_rs::default_provider().install_default().is_err()
                {
                    return Err(failed("TLS cannot be set up: no cryptography provider"));
                }
                let (connector, _) = MakeRustlsConnect::with_native_certs()
                    .map_err(|_| failed("the system's root certificates cannot be read"))?;
                Some(connector)
            }
        }))
    }

    /// The connector, if there is encryption.
    pub(crate) fn connector(&self) -> Option<&MakeRustlsConnect> {
        self.0.as_ref()
    }
}

/// Accepts any certificate, as `sslmode=require` does; signatures are checked all the same.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
