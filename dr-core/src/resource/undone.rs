//! A text with its encodings undone, and the way back from there to the text as it stands.

use std::ops::Range;

use memchr::memmem;

/// What stood as `%41`, `\"`, `\u0041` or `&#65;` as what it means, and without the line breaks that wrap it.
#[derive(Debug)]
pub(super) struct Undone {
    bytes: Vec<u8>,
    edits: Vec<Edit>,
}

/// `made` bytes at `at` stand for `from`. Everything between two edits is as it was.
#[derive(Debug)]
struct Edit {
    at: usize,
    made: usize,
    from: Range<usize>,
}

impl Undone {
    /// `None`: nothing in it is encoded.
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        let mut undone = Self { bytes: Vec::new(), edits: Vec::new() };
        let (mut kept, mut at) = (0, 0);
        while let Some(next) = text[at..].iter().position(|byte| b"%\\&\r\n".contains(byte)) {
            at += next;
            let Some((length, meant)) = meaning(text, at) else {
                at += 1;
                continue;
            };
            undone.bytes.extend_from_slice(&text[kept..at]);
            undone.edits.push(Edit { at: undone.bytes.len(), made: meant.len(), from: at..at + length });
            undone.bytes.extend_from_slice(&meant);
            at += length;
            kept = at;
        }
        undone.bytes.extend_from_slice(&text[kept..]);
        (!undone.edits.is_empty()).then_some(undone)
    }

    /// What is left.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where something stands in the text itself.
    pub(super) fn places<'a>(&'a self, wanted: &'a [u8]) -> impl Iterator<Item = Range<usize>> + 'a {
        let width = wanted.len();
        memmem::find_iter(&self.bytes, wanted).map(move |at| self.before(at..at + width))
    }

    /// What a piece of it was before.
    pub(super) fn before(&self, piece: Range<usize>) -> Range<usize> {
        let edit = |at: usize| {
            let behind = self.edits.partition_point(|edit| edit.at <= at);
            behind.checked_sub(1).map(|index| &self.edits[index])
        };
        let start = match edit(piece.start) {
            None => piece.start,
            Some(edit) if piece.start < edit.at + edit.made => edit.from.start,
            Some(edit) => edit.from.end + (piece.start - edit.at - edit.made),
        };
        let last = piece.end.saturating_sub(1);
        let end = match edit(last) {
            None => piece.end,
            Some(edit) if last < edit.at + edit.made => edit.from.end,
            Some(edit) => edit.from.end + (last - edit.at - edit.made) + 1,
        };
        start..end
    }
}

/// How many bytes from `at` on are one encoded piece, and what it means.
fn meaning(text: &[u8], at: usize) -> Option<(usize, Vec<u8>)> {
    let rest = &text[at..];
    match rest.first()? {
        b'%' => Some((3, vec![hex(rest.get(1..3)?)?])),
        b'\\' => escape(rest),
        b'&' => entity(rest),
        // A line of JSON ends here, and no word is wrapped.
        _ if text[..at].ends_with(b"}") && rest.trim_ascii_start().starts_with(b"{") => None,
        _ => Some((blanks(rest, 0), Vec::new())),
    }
}

fn escape(rest: &[u8]) -> Option<(usize, Vec<u8>)> {
    // A shell's line goes on in the next one, as JSON writes it.
    if rest.starts_with(br"\\\n") || rest.starts_with(br"\\\r") {
        return Some((blanks(rest, 4), Vec::new()));
    }
    match rest.get(1)? {
        meant @ (b'"' | b'\'' | b'\\' | b'/') => Some((2, vec![*meant])),
        b'n' | b'r' | b'\n' | b'\r' => Some((blanks(rest, 2), Vec::new())),
        b't' => Some((2, b"\t".to_vec())),
        b'x' => Some((4, vec![hex(rest.get(2..4)?)?])),
        b'u' => {
            let unit = u32::from(hex(rest.get(2..4)?)?) << 8 | u32::from(hex(rest.get(4..6)?)?);
            Some((6, char::from_u32(unit)?.to_string().into_bytes()))
        }
        _ => None,
    }
}

fn entity(rest: &[u8]) -> Option<(usize, Vec<u8>)> {
    let end = rest.iter().take(10).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(&rest[1..end]).ok()?;
    let meant = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let number = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(number.ok()?)?
        }
    };
    Some((end + 1, meant.to_string().into_bytes()))
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    match digits {
        [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
        _ => None,
    }
}

/// Up to where a line break goes, with the indentation behind it.
fn blanks(rest: &[u8], from: usize) -> usize {
    from + rest[from..].iter().take_while(|byte| b" \t\r\n".contains(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str, wanted: &str) -> Vec<String> {
        let undone = Undone::of(text.as_bytes()).unwrap();
        undone.places(wanted.as_bytes()).map(|place| text[place].to_owned()).collect()
    }

    #[test]
    fn each_encoding_leads_back_to_the_text() {
        assert_eq!(places("x p%40s%73 y", "p@ss"), ["p%40s%73"]);
        assert_eq!(places(r#"x p\"\u0040s y"#, "p\"@s"), [r#"p\"\u0040s"#]);
        assert_eq!(places("x p&#64;&lt;&#x27;s y", "p@<'s"), ["p&#64;&lt;&#x27;s"]);
        assert_eq!(places("x pass\r\n    word y\\nx", "password"), ["pass\r\n    word"]);
        assert_eq!(places(r"x pass\\\nword y", "password"), [r"pass\\\nword"]);
        assert_eq!(places("%41 pass %41", "pass"), ["pass"]);
    }

    #[test]
    fn a_text_with_nothing_encoded_is_left_alone() {
        for text in ["", "plain", "100 % & more; \\", "{\"a\":1}\n{\"a\":2}"] {
            assert!(Undone::of(text.as_bytes()).is_none(), "{text}");
        }
    }
}
