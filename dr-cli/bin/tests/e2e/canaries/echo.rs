//! A server that says in its errors everything that it should not: what it was sent, and each canary in every form.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;

use super::places::{KUBE_TOKEN, TOLD, forms};

/// What it is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A PostgreSQL server that asks for the password in clear and does not accept it.
    Denies,
    /// One that lets everybody in and answers no query.
    Answers,
    /// An HTTP server: a shop, an API server and AWS, by the path.
    Http,
}

/// A server on loopback, gone with its value.
#[derive(Debug)]
pub(super) struct Echo {
    pub(super) at: SocketAddr,
    heard: Arc<Mutex<String>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Echo {
    pub(super) fn that(kind: Kind) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let (heard, over) = (Arc::<Mutex<String>>::default(), Arc::<AtomicBool>::default());
        let (hears, ends) = (Arc::clone(&heard), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming().filter_map(Result::ok) {
                if ends.load(Ordering::SeqCst) {
                    break;
                }
                let (hears, ends) = (Arc::clone(&hears), Arc::clone(&ends));
                // A caller that goes away in the middle is no failure of the server.
                open.push(std::thread::spawn(move || drop(Talk { stream, hears, ends }.serve(kind))));
            }
            open.into_iter().for_each(|talk| talk.join().unwrap());
        });
        Self { at, heard, over, thread: Some(thread) }
    }

    /// Whether somebody sent it this.
    pub(super) fn heard(&self, text: &str) -> bool {
        self.heard.lock().unwrap().contains(text)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.at));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// The server's words: they begin so that a test knows them, and hold every canary in every form.
fn words(begin: &str) -> String {
    let told = TOLD.iter().map(|place| format!("{}: {}", place.name, forms(place.secret).join(" | ")));
    format!("{begin} says {}", told.collect::<Vec<_>>().join("; "))
}

struct Talk {
    stream: TcpStream,
    hears: Arc<Mutex<String>>,
    ends: Arc<AtomicBool>,
}

impl Talk {
    fn serve(mut self, kind: Kind) -> std::io::Result<()> {
        self.stream.set_read_timeout(Some(Duration::from_millis(50)))?;
        match kind {
            Kind::Denies => {
                self.startup()?;
                self.stream.write_all(&message(b'R', &3_i32.to_be_bytes()))?;
                let password = self.packet(1)?;
                self.hear(&password);
                self.stream.write_all(&refusal("FATAL", "28P01"))
            }
            Kind::Answers => {
                self.startup()?;
                self.stream.write_all(&message(b'R', &0_i32.to_be_bytes()))?;
                self.stream.write_all(&message(b'Z', b"I"))?;
                while let Ok(query) = self.packet(1) {
                    self.hear(&query);
                    self.stream.write_all(&refusal("ERROR", "42501"))?;
                    self.stream.write_all(&message(b'Z', b"I"))?;
                }
                Ok(())
            }
            Kind::Http => loop {
                let head = self.head()?;
                self.hear(head.as_bytes());
                self.stream.write_all(&answer(&head))?;
            },
        }
    }

    fn hear(&self, bytes: &[u8]) {
        self.hears.lock().unwrap().push_str(&String::from_utf8_lossy(bytes));
    }

    /// As `read_exact`, but not for longer than the server lives.
    fn exactly(&mut self, length: usize) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let mut have = 0;
        while have < length {
            match self.stream.read(&mut bytes[have..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => have += read,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if self.ends.load(Ordering::SeqCst) {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    }

    /// A packet of PostgreSQL's protocol, without its length; its kind is in the first byte if it has one.
    fn packet(&mut self, kind: usize) -> std::io::Result<Vec<u8>> {
        let mut packet = self.exactly(kind)?;
        let length: [u8; 4] = self.exactly(4)?.try_into().unwrap();
        packet.extend(self.exactly(u32::from_be_bytes(length).saturating_sub(4) as usize)?);
        Ok(packet)
    }

    /// The first packet; a wish for TLS before it is declined.
    fn startup(&mut self) -> std::io::Result<()> {
        while self.packet(0)?.starts_with(&80_877_103_i32.to_be_bytes()) {
            self.stream.write_all(b"N")?;
        }
        Ok(())
    }

    /// A request's head; its body is read and not kept.
    fn head(&mut self) -> std::io::Result<String> {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            bytes.extend(self.exactly(1)?);
        }
        let head = String::from_utf8_lossy(&bytes).into_owned();
        let length = header(&head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        self.exactly(length)?;
        Ok(head)
    }
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

fn refusal(severity: &str, code: &str) -> Vec<u8> {
    let fields = format!("S{severity}\0V{severity}\0C{code}\0M{}\0\0", words("the database"));
    message(b'E', fields.as_bytes())
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(is, _)| is.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn answer(head: &str) -> Vec<u8> {
    let path = head.split(' ').nth(1).unwrap_or_default();
    let sent = header(head, "authorization").unwrap_or("nothing");
    let (status, headers, body) = if path.starts_with("/well") {
        ("200 OK", "x-region: there\r\n".to_owned(), "fine".to_owned())
    } else if path.starts_with("/sick") {
        // Whoever it believes to be is what it was asked with.
        ("500 Sick", format!("x-region: the shop for {sent}\r\n"), words("the shop"))
    } else if path.starts_with("/api") {
        let known = if sent.contains(KUBE_TOKEN.secret) {
            forms(KUBE_TOKEN.secret).join(" | ")
        } else {
            String::new()
        };
        let text = format!("{} {known} and was sent authorization: {sent}", words("the cluster"));
        let body = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403,
                           "reason": "Forbidden", "message": text });
        ("403 Forbidden", "content-type: application/json\r\n".to_owned(), body.to_string())
    } else if path.starts_with("/proxy") {
        ("502 Bad Gateway", String::new(), format!("<html>the proxy was sent authorization: {sent}</html>"))
    } else {
        let text = words("the cloud").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>{text}</Message>\
             </Error><RequestId>r</RequestId></ErrorResponse>"
        );
        ("403 Forbidden", "content-type: text/xml\r\n".to_owned(), body)
    };
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
