//! XML bodies of requests.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::ApiError;

/// An element with what is in it; namespaces are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// Reads a whole document.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let malformed = || {
            ApiError::new(
                400,
                "MalformedXML",
                "The XML you provided was not well-formed or did not validate against our published schema",
            )
        };
        let text = std::str::from_utf8(body).map_err(|_| malformed())?;
        let mut reader = Reader::from_str(text);
        let mut open = vec![Element::default()];
        loop {
            match reader.read_event().map_err(|_| malformed())? {
                Event::Start(start) => {
                    let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                    open.push(Element { name, ..Element::default() });
                }
                Event::Empty(start) => {
                    let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                    if let Some(parent) = open.last_mut() {
                        parent.children.push(Element { name, ..Element::default() });
                    }
                }
                Event::End(_) => {
                    let done = open.pop().ok_or_else(malformed)?;
                    open.last_mut().ok_or_else(malformed)?.children.push(done);
                }
                Event::Text(piece) => {
                    let piece = piece.decode().map_err(|_| malformed())?;
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&piece);
                    }
                }
                Event::CData(piece) => {
                    let piece = piece.decode().map_err(|_| malformed())?;
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&piece);
                    }
                }
                Event::GeneralRef(reference) => {
                    let character = match reference.resolve_char_ref().map_err(|_| malformed())? {
                        Some(character) => character.to_string(),
                        None => {
                            let name = reference.decode().map_err(|_| malformed())?;
                            quick_xml::escape::resolve_predefined_entity(&name)
                                .ok_or_else(malformed)?
                                .to_owned()
                        }
                    };
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&character);
                    }
                }
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
        match open.as_mut_slice() {
            [document] if document.children.len() == 1 => document.children.pop().ok_or_else(malformed),
            _ => Err(malformed()),
        }
    }

    /// Its text.
    pub(crate) fn value(&self) -> &str {
        self.text.trim()
    }

    /// The first child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of that name.
    pub(crate) fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> + 'a {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the first child of that name; an empty one is none.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.child(name).map(Element::value).filter(|text| !text.is_empty())
    }

    /// The text of a child without which the call is refused.
    pub(crate) fn need(&self, name: &str) -> Result<&str, ApiError> {
        self.text(name).ok_or_else(|| ApiError::missing(name))
    }

    /// The first child of that name as a number.
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, ApiError> {
        self.text(name)
            .map(|text| {
                text.parse().map_err(|_| ApiError::invalid_input(format!("{text} is no number for {name}")))
            })
            .transpose()
    }

    /// The first child of that name as a yes or no.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.text(name).map(|text| text == "true")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_with_its_references_and_without_its_namespace() {
        let body = br#"<?xml version="1.0"?><a xmlns="x"><b>1 &lt; 2 &#65;</b><c/><b>y</b></a>"#;
        let document = Element::parse(body).unwrap();
        assert_eq!(document.name, "a");
        assert_eq!(document.text("b"), Some("1 < 2 A"));
        assert_eq!(document.children("b").count(), 2);
        assert_eq!(document.text("c"), None);
    }

    #[test]
    fn half_a_document_is_refused() {
        assert!(Element::parse(b"<a><b></b>").is_err());
        assert!(Element::parse(b"").is_err());
        assert!(Element::parse(b"<a>&nope;</a>").is_err());
    }
}
