//! The keys and certificates of one region.

use std::fs;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

use crate::error::KubeFault;

/// What the servers read, in their folder.
pub(crate) const CA: &str = "ca.crt";
pub(crate) const SERVING: &str = "serving.crt";
pub(crate) const SERVING_KEY: &str = "serving.key";
pub(crate) const ACCOUNTS: &str = "accounts.pub";
pub(crate) const ACCOUNTS_KEY: &str = "accounts.key";

/// A certificate authority of one region.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    pub(crate) fn new(region: &str) -> Result<Self, KubeFault> {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(&format!("{region} test authority"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// Writes everything that the servers need into `folder`.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), KubeFault> {
        let mut params = CertificateParams::new(vec![
            "127.0.0.1".to_owned(),
            "localhost".to_owned(),
            "kubernetes.default.svc".to_owned(),
        ])?;
        params.distinguished_name = named("kube-apiserver");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let serving = params.signed_by(&key, &self.issuer)?;
        let accounts = KeyPair::generate()?;
        for (name, text) in [
            (CA, self.pem.clone()),
            (SERVING, serving.pem()),
            (SERVING_KEY, key.serialize_pem()),
            (ACCOUNTS, accounts.public_key_pem()),
            (ACCOUNTS_KEY, accounts.serialize_pem()),
        ] {
            fs::write(folder.join(name), text).map_err(KubeFault::io(format!("write {name}")))?;
        }
        Ok(())
    }

    /// A certificate with which `user` logs in, and its key. An expired one is refused by the server.
    pub(crate) fn user(&self, user: &str, expired: bool) -> Result<(String, String), KubeFault> {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(user);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if expired {
            params.not_before = date_time_ymd(2019, 1, 1);
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate()?;
        Ok((params.signed_by(&key, &self.issuer)?.pem(), key.serialize_pem()))
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}
