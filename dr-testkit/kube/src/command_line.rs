//! With which arguments the servers are started.

use std::ffi::OsString;
use std::net::SocketAddr;

use crate::options::RegionOptions;
use crate::pki;

/// What the API server reads beside its certificates, and where it writes.
pub(crate) const TOKENS: &str = "tokens.csv";
pub(crate) const AUDIT_POLICY: &str = "audit.yaml";
pub(crate) const AUDIT_LOG: &str = "audit.log";
/// The controllers' own kubeconfig.
pub(crate) const CONTROLLERS: &str = "controllers.kubeconfig";

/// As whom the region's own machinery acts. Its requests are not in the audit log.
pub(crate) const WARDEN: &str = "dr-testkit";

/// What is written down of the requests: who, what, when and with what result, but nothing of the machinery.
pub(crate) fn audit_policy() -> String {
    format!(
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n\
         - level: None\n  users: [system:apiserver, {WARDEN}]\n\
         - level: None\n  nonResourceURLs: [\"/readyz*\", \"/livez*\", \"/healthz*\"]\n\
         - level: Metadata\n"
    )
}

pub(crate) fn etcd(address: SocketAddr) -> Vec<OsString> {
    let url = format!("http://{address}");
    arguments(&[
        ("data-dir", "etcd"),
        ("listen-client-urls", &url),
        ("advertise-client-urls", &url),
        // There are no peers; any port will do.
        ("listen-peer-urls", "http://127.0.0.1:0"),
        ("unsafe-no-fsync", "true"),
    ])
}

pub(crate) fn api(options: &RegionOptions, address: SocketAddr, etcd: SocketAddr) -> Vec<OsString> {
    arguments(&[
        ("etcd-servers", &format!("http://{etcd}")),
        ("bind-address", &address.ip().to_string()),
        ("advertise-address", &address.ip().to_string()),
        ("secure-port", &address.port().to_string()),
        // The endpoints of the server itself may not be on loopback.
        ("endpoint-reconciler-type", "none"),
        ("tls-cert-file", pki::SERVING),
        ("tls-private-key-file", pki::SERVING_KEY),
        ("client-ca-file", pki::CA),
        ("token-auth-file", TOKENS),
        ("authorization-mode", "RBAC"),
        ("service-account-issuer", "https://kubernetes.default.svc"),
        ("service-account-key-file", pki::ACCOUNTS),
        ("service-account-signing-key-file", pki::ACCOUNTS_KEY),
        ("service-cluster-ip-range", "10.96.0.0/16"),
        ("allow-privileged", "true"),
        ("profiling", "false"),
        ("watch-cache", if options.watch_cache { "true" } else { "false" }),
        ("audit-policy-file", AUDIT_POLICY),
        ("audit-log-path", AUDIT_LOG),
    ])
}

pub(crate) fn controllers(version: (u32, u32)) -> Vec<OsString> {
    let mut all = arguments(&[
        ("kubeconfig", CONTROLLERS),
        ("leader-elect", "false"),
        ("bind-address", "127.0.0.1"),
        // It serves nobody.
        ("secure-port", "0"),
        ("root-ca-file", pki::CA),
        ("service-account-private-key-file", pki::ACCOUNTS_KEY),
        ("use-service-account-credentials", "false"),
        ("profiling", "false"),
        // The defaults are for a server that is far away and busy: 20 requests a second for all controllers together.
        ("kube-api-qps", "2000"),
        ("kube-api-burst", "4000"),
        ("concurrent-deployment-syncs", "10"),
        ("concurrent-replicaset-syncs", "10"),
        ("horizontal-pod-autoscaler-sync-period", "2s"),
    ]);
    // Up to 1.22 there is a second port, which listens on every address; later the flag is gone.
    if version < (1, 23) {
        all.extend(arguments(&[("port", "0")]));
    }
    all
}

fn arguments(pairs: &[(&str, &str)]) -> Vec<OsString> {
    pairs.iter().map(|(name, value)| OsString::from(format!("--{name}={value}"))).collect()
}
