//! Kind `http` over TLS: an answer counts only from who it should be.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::sync::Arc;

use dr_core::resource::{Ask, Health, SeatKind};
use dr_net::HttpBackend;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use support::{SECOND, connected, try_connected};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A certificate authority that nobody else knows, in a file.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: tempfile::NamedTempFile,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), issuer.pem()).unwrap();
        Self { issuer, file }
    }

    /// A server that answers 200 under that name, as long as the test runs.
    async fn server(&self, name: &str) -> u16 {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    while stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                    }
                });
            }
        });
        port
    }
}

#[tokio::test]
async fn a_trusted_server_is_asked_over_tls_by_both_seats() {
    let authority = Authority::new();
    let port = authority.server("localhost").await;
    let config =
        json!({ "url": format!("https://localhost:{port}/"), "tls": { "ca": authority.file.path() } });
    for kind in [SeatKind::Caching, SeatKind::Kept] {
        let mut seat = connected(&HttpBackend, config.clone()).await.prober().unwrap().seat(kind);
        for _ in 0..3 {
            let answer = seat.ask(Ask::default(), SECOND).await;
            assert!(answer.is_good(), "{answer}");
        }
    }
}

#[tokio::test]
async fn an_untrusted_server_and_a_wrong_name_are_no_answer() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    for port in [ours.server("elsewhere.example.test").await, theirs.server("localhost").await] {
        let config =
            json!({ "url": format!("https://localhost:{port}/"), "tls": { "ca": ours.file.path() } });
        let mut seat = connected(&HttpBackend, config).await.prober().unwrap().seat(SeatKind::Caching);
        let answer = seat.ask(Ask::default(), SECOND).await;
        let Health::None { why } = &answer.health else { panic!("{answer}") };
        assert!(why.contains("TLS"), "{why}");
    }
}

#[tokio::test]
async fn a_missing_file_of_certificates_is_named() {
    let config = json!({ "url": "https://localhost/", "tls": { "ca": "/nonexistent/ca.pem" } });
    let error = try_connected(&HttpBackend, config).await.unwrap_err();
    assert!(error.to_string().contains("/nonexistent/ca.pem"), "{error}");
}
