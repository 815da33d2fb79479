//! Record data as a file keeps it.

use hickory_proto::rr::rdata::{A, AAAA, CNAME, NS, TXT};
use hickory_proto::rr::{Name, RData, RecordType};
use serde::{Deserialize, Serialize};

/// The types of record that the zone holds; its SOA is made from its serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Kind {
    A,
    Aaaa,
    Cname,
    Ns,
    Txt,
}

impl Kind {
    pub(crate) fn of(kind: RecordType) -> Option<Self> {
        match kind {
            RecordType::A => Some(Self::A),
            RecordType::AAAA => Some(Self::Aaaa),
            RecordType::CNAME => Some(Self::Cname),
            RecordType::NS => Some(Self::Ns),
            RecordType::TXT => Some(Self::Txt),
            _ => None,
        }
    }

    /// The text as data; `None` if it is none.
    pub(crate) fn data(self, text: &str) -> Option<RData> {
        Some(match self {
            Self::A => RData::A(A(text.parse().ok()?)),
            Self::Aaaa => RData::AAAA(AAAA(text.parse().ok()?)),
            Self::Cname => RData::CNAME(CNAME(absolute(text)?)),
            Self::Ns => RData::NS(NS(absolute(text)?)),
            Self::Txt => RData::TXT(TXT::new(vec![text.to_owned()])),
        })
    }
}

/// The data as text; `None` for a type that the zone does not hold.
pub(crate) fn text(data: &RData) -> Option<String> {
    Some(match data {
        RData::A(A(address)) => address.to_string(),
        RData::AAAA(AAAA(address)) => address.to_string(),
        RData::CNAME(CNAME(name)) | RData::NS(NS(name)) => key(name),
        RData::TXT(text) => {
            text.txt_data.iter().map(|part| String::from_utf8_lossy(part).into_owned()).collect()
        }
        _ => return None,
    })
}

/// A name as the file writes it: lower case, without its last dot.
pub(crate) fn key(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_lowercase()
}

/// A name from the file.
pub(crate) fn absolute(text: &str) -> Option<Name> {
    let mut name = Name::from_ascii(text).ok()?;
    name.set_fqdn(true);
    Some(name)
}
