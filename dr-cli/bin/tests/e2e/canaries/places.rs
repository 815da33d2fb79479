//! The canaries: one for each place where a secret can stand, and every way to write one.

use std::path::Path;

/// What every canary begins with, so that a piece of one is found as well.
pub(super) const MARK: &str = "canary-";

/// A place where a secret can stand, and the secret there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) name: &'static str,
    pub(super) secret: &'static str,
    /// Whether it is sent to a server as it is, which must have seen it then.
    pub(super) sent: bool,
}

const fn place(name: &'static str, secret: &'static str, sent: bool) -> Place {
    Place { name, secret, sent }
}

pub(super) const PG_ADMIN: Place = place("an environment variable", "canary-pg-admin'7\"Q\\z>k", true);
pub(super) const PG_APP: Place = place("a secret file", "canary-pg-app+/7Qz= k%41", false);
pub(super) const HTTP: Place = place("a header", "canary-http-7Qzk+/a.b_c~d==", true);
pub(super) const TSIG: Place = place("a TSIG key", "Y2FuYXJ5LXRzaWctN1F6azIyMjI=", false);
pub(super) const KUBE_TOKEN: Place = place("a kubeconfig's token", "canary-kube-token-7Qzk.eyJ", true);
pub(super) const KUBE_PLUG_IN: Place = place("a plug-in's token", "canary-kube-exec-7Qzk.aHR0cHM", true);
pub(super) const KUBE_SECRET: Place =
    place("a setting of a workload", "postgres://app:canary-set@db/7Qz", false);
pub(super) const AWS_KEY: Place =
    place("the environment's AWS key", "canary-aws-key/7Qzk+wJalrXUtnFEMI", false);
pub(super) const AWS_TOKEN: Place =
    place("the environment's AWS token", "canary-aws-token//7Qzk+IQoJb3JpZ2luX2Vj", true);
pub(super) const PLAN_KEY: Place = place("the plan's AWS key", "canary-plan-key/7Qzk+wJalrXUtnFEMI", false);
pub(super) const PLAN_TOKEN: Place =
    place("the plan's AWS token", "canary-plan-token//7Qzk+IQoJb3JpZ2luX2Vj", true);

/// What servers repeat, to whomever. A cluster's token is repeated to who sent it: no process knows, and can mask, what it
/// never read.
pub(super) const TOLD: [Place; 9] =
    [PG_ADMIN, PG_APP, HTTP, TSIG, KUBE_SECRET, AWS_KEY, AWS_TOKEN, PLAN_KEY, PLAN_TOKEN];

/// A secret as it is, and in every form that something on its way may have given it, on one line or several.
pub(super) fn forms(secret: &str) -> Vec<String> {
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let json = serde_json::to_string(secret).unwrap();
    let escaped: String = secret.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    let html: String = secret.chars().map(|c| format!("&#{};", u32::from(c))).collect();
    let (first, last) = secret.split_at(secret.len() / 2);
    let coded = base64(format!("dr:{secret}").as_bytes());
    let (left, right) = coded.split_at(coded.len() / 2);
    vec![
        secret.to_owned(),
        some_percent(secret),
        percent.to_uppercase(),
        percent.replace('%', "%25"),
        json.clone(),
        serde_json::to_string(&json).unwrap(),
        escaped,
        html,
        format!("{first}\n    {last}"),
        format!("{first}\\\n{last}"),
        coded.clone(),
        coded.replace('+', "-").replace('/', "_"),
        format!("{left}\r\n{right}"),
        hex(secret.as_bytes()),
        hex(secret.as_bytes()).to_uppercase(),
        secret.replace('\'', "''"),
        secret.replace('\'', "\\'"),
    ]
}

fn some_percent(secret: &str) -> String {
    let coded = |c: char| !(c.is_ascii_alphanumeric() || "-_.!~*'()".contains(c));
    secret.chars().map(|c| if coded(c) { format!("%{:02X}", u32::from(c)) } else { c.to_string() }).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let six = |three: &[u8], index: usize| {
        let bits =
            three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        char::from(ALPHABET[(bits >> (18 - 6 * index) & 63) as usize])
    };
    let coded = bytes.chunks(3).flat_map(|three| {
        (0..4).map(move |index| if index <= three.len() { six(three, index) } else { '=' })
    });
    coded.collect()
}

/// A mark as base64 shows it, at each of three offsets.
fn in_base64(mark: &str) -> [String; 3] {
    [0, 1, 2].map(|offset| {
        let coded = base64(format!("{}{mark}", &"???"[..offset]).as_bytes());
        let from = (offset * 8).div_ceil(6);
        // What follows decides the last character.
        coded[from..(offset + mark.len()) * 8 / 6].to_owned()
    })
}

/// What of a canary is in a text, in whichever form; with what stands around it.
pub(super) fn found(text: &str) -> Option<String> {
    let marks = [MARK, &TSIG.secret[..16]]
        .into_iter()
        .flat_map(|mark| [mark.to_owned(), hex(mark.as_bytes())].into_iter().chain(in_base64(mark)));
    let marks: Vec<String> = marks.collect();
    let mut view = text.to_owned();
    for _ in 0..4 {
        for mark in &marks {
            let at = view.find(mark.as_str()).or_else(|| {
                let small = mark.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
                small.then(|| view.to_ascii_lowercase().find(mark.as_str())).flatten()
            });
            if let Some(at) = at {
                let around: String = view[at..].chars().take(90).collect();
                return Some(format!("…{around}…"));
            }
        }
        view = plainer(&view);
    }
    None
}

/// One layer of encodings less, in the plainest of ways: nothing here is shared with what is tested.
fn plainer(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let number = |from: usize, to: usize, radix| {
            let digits = rest.get(from..to)?;
            char::from_u32(u32::from_str_radix(digits, radix).ok()?)
        };
        let (meant, length) = match c {
            '%' => (number(1, 3, 16), 3),
            '\\' if rest.starts_with("\\u") => (number(2, 6, 16), 6),
            '&' if rest.starts_with("&#") => {
                let end = rest.find(';').unwrap_or(2);
                (number(2, end, 10), end + 1)
            }
            _ => (None, 1),
        };
        if let Some(meant) = meant {
            out.push(meant);
            rest = &rest[length..];
            continue;
        }
        rest = match c {
            '\\' if rest.starts_with("\\n") || rest.starts_with("\\r") => &rest[2..],
            '\\' => &rest[1..],
            c if c.is_whitespace() => &rest[c.len_utf8()..],
            c => {
                out.push(c);
                &rest[c.len_utf8()..]
            }
        };
    }
    out
}

/// Searches every file below, and their names; says how many.
pub(super) fn search(folder: &Path) -> usize {
    let mut looked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display().to_string();
        assert!(found(&name).is_none(), "a canary is the name of {name}");
        if path.is_dir() {
            looked += search(&path);
            continue;
        }
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        assert!(found(&text).is_none(), "a canary is in {name}: {:?}", found(&text));
        looked += 1;
    }
    looked
}

#[test]
fn the_search_finds_every_form_of_every_canary() {
    for place in TOLD.into_iter().chain([KUBE_TOKEN, KUBE_PLUG_IN]) {
        for form in forms(place.secret) {
            let text = format!("{{\"text\":{}}}", serde_json::Value::from(form.as_str()));
            assert!(found(&form).is_some() && found(&text).is_some(), "{}: {form}", place.name);
        }
        assert!(found(&place.secret[..place.secret.len() - 4]).is_some(), "a piece of {}", place.name);
    }
    assert!(found("what holds none: 63616e61, Y2Fu, %63, canaries").is_none());
}
