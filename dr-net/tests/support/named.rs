//! BIND, the real thing, on loopback.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{eventually, free_address};

pub const SECRET: &str = "c2VjcmV0LW9mLXRoZS1zYW5kYm94LXRoYXQtaXMtbG9uZw==";
pub const OTHER_SECRET: &str = "YW5vdGhlci1zZWNyZXQtb2YtdGhlLXNhbmRib3gtaGVyZQ==";

/// A name server that ends with the test, however the test ends.
pub struct Named {
    pub address: SocketAddr,
    child: Child,
    dir: tempfile::TempDir,
}

impl Named {
    /// Primary for `example.test`, which `dr-key` may update and `reader` may not.
    pub async fn primary(records: &str) -> Self {
        Self::primary_notifying(records, None).await
    }

    pub async fn primary_notifying(records: &str, secondary: Option<SocketAddr>) -> Self {
        let zone = format!(
            "$TTL 60\n@ IN SOA ns1 admin 1 3600 600 86400 7\n@ IN NS ns1\nns1 IN A 127.0.0.1\n{records}\n"
        );
        let notify = match secondary {
            Some(at) => {
                format!("notify explicit; notify-delay 0; also-notify {{ {} port {}; }};", at.ip(), at.port())
            }
            None => "notify no;".to_owned(),
        };
        Self::start(
            free_address(),
            &format!("type primary; file \"zone\"; allow-update {{ key dr-key; }}; {notify}"),
            Some(&zone),
        )
        .await
    }

    /// A copy of the primary's zone.
    pub async fn secondary(at: SocketAddr, primary: SocketAddr) -> Self {
        let zone = format!(
            "type secondary; file \"copy\"; masterfile-format text; primaries {{ {} port {}; }}; notify no;",
            primary.ip(),
            primary.port()
        );
        Self::start(at, &zone, None).await
    }

    async fn start(address: SocketAddr, zone: &str, data: Option<&str>) -> Self {
        let binary = Path::new("/usr/sbin/named");
        assert!(binary.exists(), "BIND is missing: run `make test-deps` (Debian package bind9)");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().display();
        let conf = format!(
            "options {{ directory \"{path}\"; pid-file none; session-keyfile \"{path}/session.key\";
               managed-keys-directory \"{path}\"; listen-on port {port} {{ {ip}; }}; listen-on-v6 {{ none; }};
               recursion no; dnssec-validation no; allow-query {{ any; }}; allow-transfer {{ any; }};
               transfer-format many-answers; serial-query-rate 200; }};
             controls {{ }};
             key dr-key {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};
             key reader {{ algorithm hmac-sha256; secret \"{OTHER_SECRET}\"; }};
             zone example.test {{ {zone} }};\n",
            ip = address.ip(),
            port = address.port(),
        );
        std::fs::write(dir.path().join("named.conf"), conf).unwrap();
        if let Some(data) = data {
            std::fs::write(dir.path().join("zone"), data).unwrap();
        }
        // A copy: the distribution's AppArmor profile for the original forbids it to read a test's folder.
        let copy = dir.path().join("named");
        std::fs::copy(binary, &copy).unwrap();
        // setpriv: it dies with the test even where the test is killed.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(copy)
            .args(["-f", "-n", "1", "-U", "1", "-c", "named.conf", "-L", "log"])
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("named starts");
        let named = Self { address, child, dir };
        eventually("named answers", || async { named.dig("example.test", "SOA").contains("SOA") }).await;
        named
    }

    /// What it says, asked by somebody else's tool.
    pub fn dig(&self, name: &str, kind: &str) -> String {
        let output = Command::new("dig")
            .args(["+norecurse", "+noall", "+answer", "+time=1", "+tries=1"])
            .args([format!("@{}", self.address.ip()), "-p".to_owned(), self.address.port().to_string()])
            .args([name, kind])
            .output()
            .expect("dig is missing: run `make test-deps` (Debian package bind9-dnsutils)");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Changes it behind dr's back.
    pub fn nsupdate(&self, lines: &str) {
        let script = format!(
            "server {} {}\nzone example.test\n{lines}\nsend\n",
            self.address.ip(),
            self.address.port()
        );
        let file = self.dir.path().join("update");
        std::fs::write(&file, script).unwrap();
        let status = Command::new("nsupdate")
            .args(["-y", &format!("hmac-sha256:dr-key:{SECRET}")])
            .arg(&file)
            .status()
            .expect("nsupdate is missing: run `make test-deps` (Debian package bind9-dnsutils)");
        assert!(status.success(), "nsupdate failed");
    }

    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        self.stop();
    }
}
