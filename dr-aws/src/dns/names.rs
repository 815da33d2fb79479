//! Domain names, as plans and Route 53 write them.

use hickory_proto::rr::Name;

/// A name as plans write it, absolute and in lower case.
pub(crate) fn name(text: &str) -> Result<Name, String> {
    let wrong = || format!("`{text}` is not a DNS name");
    let mut name = Name::from_utf8(unescaped(text)).map_err(|_| wrong())?.to_lowercase();
    name.set_fqdn(true);
    if name.is_root() { Err(wrong()) } else { Ok(name) }
}

/// A name for people: without the final dot.
pub(crate) fn plain(name: &Name) -> String {
    let text = name.to_string();
    text.strip_suffix('.').filter(|text| !text.is_empty()).unwrap_or(&text).to_owned()
}

/// Whether two spellings are one name: Route 53 adds a final dot and writes an asterisk as an escape.
pub(crate) fn same_name(one: &str, other: &str) -> bool {
    let bare = |text: &str| unescaped(text).trim_end_matches('.').to_ascii_lowercase();
    bare(one) == bare(other)
}

/// Route 53 writes an asterisk by its octal code.
fn unescaped(text: &str) -> String {
    text.replace("\\052", "*")
}
