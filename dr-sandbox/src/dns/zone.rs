//! One zone: what it holds, what it answers, and how an update changes it (RFC 2136).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use dr_core::{Error, Result};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::SOA;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordData, RecordType};
use serde::{Deserialize, Serialize};

use super::value::{Kind, absolute, key, text};

/// Values under one name and type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Set {
    ttl: u32,
    values: BTreeSet<String>,
}

/// A zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Zone {
    origin: String,
    serial: u32,
    names: BTreeMap<String, BTreeMap<Kind, Set>>,
}

/// What a question finds.
struct Found {
    code: ResponseCode,
    answers: Vec<Record>,
}

type Update<T> = std::result::Result<T, ResponseCode>;

impl Zone {
    /// An empty zone with its name server.
    pub(crate) fn new(origin: &str) -> Self {
        let mut zone = Self { origin: origin.to_lowercase(), serial: 1, names: BTreeMap::new() };
        zone.put(origin, Kind::Ns, 60, &format!("ns.{origin}"));
        zone
    }

    /// Adds a value.
    pub(crate) fn put(&mut self, name: &str, kind: Kind, ttl: u32, value: &str) {
        let set = self.names.entry(name.to_lowercase()).or_default().entry(kind).or_default();
        set.ttl = ttl;
        set.values.insert(value.to_owned());
    }

    /// Adds an address.
    pub(crate) fn put_address(&mut self, name: &str, ttl: u32, address: std::net::Ipv4Addr) {
        self.put(name, Kind::A, ttl, &address.to_string());
    }

    /// The zone in a file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(crate::fault::at("read", path))?;
        serde_json::from_str(&text)
            .map_err(|error| Error::invalid(format!("{} is not a zone", path.display())).because(error))
    }

    fn apex(&self) -> Option<Name> {
        absolute(&self.origin)
    }

    fn holds(&self, name: &str) -> bool {
        name == self.origin || name.strip_suffix(&self.origin).is_some_and(|rest| rest.ends_with('.'))
    }

    fn soa(&self) -> Option<Record> {
        let apex = self.apex()?;
        let (server, person) =
            (absolute(&format!("ns.{}", self.origin))?, absolute(&format!("root.{}", self.origin))?);
        let soa = SOA::new(server, person, self.serial, 3600, 600, 86_400, 1);
        Some(Record::from_rdata(apex, 1, RData::SOA(soa)))
    }

    fn records(&self, name: &str, kind: Kind) -> Vec<Record> {
        let set = self.names.get(name).and_then(|kinds| kinds.get(&kind));
        set.into_iter()
            .flat_map(|set| {
                set.values
                    .iter()
                    .filter_map(|value| Some(Record::from_rdata(absolute(name)?, set.ttl, kind.data(value)?)))
            })
            .collect()
    }

    /// Answers a question.
    pub(crate) fn answer(&self, request: &Message, response: &mut Message) {
        let [query] = request.queries.as_slice() else {
            response.metadata.response_code = ResponseCode::FormErr;
            return;
        };
        let name = key(query.name());
        if !self.holds(&name) || !matches!(query.query_class(), DNSClass::IN | DNSClass::ANY) {
            response.metadata.response_code = ResponseCode::Refused;
            return;
        }
        let found = self.find(&name, query.query_type());
        response.metadata.authoritative = true;
        response.metadata.response_code = found.code;
        if found.answers.is_empty() {
            response.add_authorities(self.soa());
        }
        response.add_answers(found.answers);
    }

    fn find(&self, name: &str, wanted: RecordType) -> Found {
        let mut answers = Vec::new();
        if name == self.origin && matches!(wanted, RecordType::SOA | RecordType::ANY) {
            answers.extend(self.soa());
        }
        let Some(kinds) = self.names.get(name) else {
            let below = format!(".{name}");
            let exists = name == self.origin || self.names.keys().any(|other| other.ends_with(&below));
            let code = if exists { ResponseCode::NoError } else { ResponseCode::NXDomain };
            return Found { code, answers };
        };
        for kind in kinds.keys() {
            if wanted == RecordType::ANY || Kind::of(wanted) == Some(*kind) {
                answers.extend(self.records(name, *kind));
            }
        }
        if answers.is_empty() && kinds.contains_key(&Kind::Cname) {
            // One step is followed: a chain is nobody's plan here.
            let alias = self.records(name, Kind::Cname);
            let target = alias.iter().find_map(|record| text(&record.data));
            answers.extend(alias);
            if let (Some(target), Some(kind)) = (target, Kind::of(wanted)) {
                answers.extend(self.records(&target, kind));
            }
        }
        Found { code: ResponseCode::NoError, answers }
    }

    /// The zone after an update whose signature has been checked.
    ///
    /// # Errors
    /// The code to answer with; nothing is changed then.
    pub(crate) fn updated(&self, request: &Message) -> Update<Self> {
        let [zone] = request.queries.as_slice() else { return Err(ResponseCode::FormErr) };
        if zone.query_type() != RecordType::SOA {
            return Err(ResponseCode::FormErr);
        }
        if key(zone.name()) != self.origin {
            return Err(ResponseCode::NotAuth);
        }
        self.require(&request.answers)?;
        self.scan(&request.authorities)?;
        let mut after = self.clone();
        for record in &request.authorities {
            after.change(record);
        }
        if after.names != self.names {
            after.serial = self.serial.wrapping_add(1);
        }
        Ok(after)
    }

    /// RFC 2136, 3.2: is the zone as the caller believes?
    fn require(&self, conditions: &[Record]) -> Update<()> {
        let mut exact: BTreeMap<(String, Kind), BTreeSet<String>> = BTreeMap::new();
        for record in conditions {
            if record.ttl != 0 {
                return Err(ResponseCode::FormErr);
            }
            let name = key(&record.name);
            if !self.holds(&name) {
                return Err(ResponseCode::NotZone);
            }
            let bare = record.data.is_update();
            let any = record.record_type() == RecordType::ANY;
            let there = if any { self.uses(&name) } else { self.has(&name, record.record_type()) };
            match record.dns_class {
                DNSClass::ANY if bare && !there => {
                    return Err(if any { ResponseCode::NXDomain } else { ResponseCode::NXRRSet });
                }
                DNSClass::NONE if bare && there => {
                    return Err(if any { ResponseCode::YXDomain } else { ResponseCode::YXRRSet });
                }
                DNSClass::ANY | DNSClass::NONE if bare => {}
                DNSClass::IN => {
                    let kind = Kind::of(record.record_type()).ok_or(ResponseCode::NXRRSet)?;
                    let value = text(&record.data).ok_or(ResponseCode::FormErr)?;
                    exact.entry((name, kind)).or_default().insert(value);
                }
                _ => return Err(ResponseCode::FormErr),
            }
        }
        let holds = exact.iter().all(|((name, kind), values)| {
            self.names.get(name).and_then(|kinds| kinds.get(kind)).is_some_and(|set| set.values == *values)
        });
        if holds { Ok(()) } else { Err(ResponseCode::NXRRSet) }
    }

    fn uses(&self, name: &str) -> bool {
        name == self.origin || self.names.contains_key(name)
    }

    fn has(&self, name: &str, kind: RecordType) -> bool {
        (kind == RecordType::SOA && name == self.origin)
            || Kind::of(kind)
                .is_some_and(|kind| self.names.get(name).is_some_and(|kinds| kinds.contains_key(&kind)))
    }

    /// RFC 2136, 3.4.1: can every change be made? Else none is.
    fn scan(&self, changes: &[Record]) -> Update<()> {
        for record in changes {
            if !self.holds(&key(&record.name)) {
                return Err(ResponseCode::NotZone);
            }
            let known = Kind::of(record.record_type()).is_some();
            match record.dns_class {
                DNSClass::IN if record.data.is_update() => return Err(ResponseCode::FormErr),
                DNSClass::IN if !known => return Err(ResponseCode::NotImp),
                DNSClass::ANY if record.ttl != 0 || !record.data.is_update() => {
                    return Err(ResponseCode::FormErr);
                }
                DNSClass::NONE if record.ttl != 0 => return Err(ResponseCode::FormErr),
                DNSClass::IN | DNSClass::ANY | DNSClass::NONE => {}
                _ => return Err(ResponseCode::FormErr),
            }
        }
        Ok(())
    }

    fn change(&mut self, record: &Record) {
        let name = key(&record.name);
        let apex = name == self.origin;
        let kind = Kind::of(record.record_type());
        match (record.dns_class, kind) {
            (DNSClass::IN, Some(kind)) => {
                if let Some(value) = text(&record.data).filter(|_| !self.clashes(&name, kind)) {
                    if kind == Kind::Cname {
                        self.names.remove(&name);
                    }
                    self.put(&name, kind, record.ttl, &value);
                }
            }
            (DNSClass::ANY, _) if record.record_type() == RecordType::ANY => {
                self.retain(&name, |kind| apex && kind == Kind::Ns);
            }
            (DNSClass::ANY, Some(kind)) if !(apex && kind == Kind::Ns) => {
                self.retain(&name, |other| other != kind);
            }
            (DNSClass::NONE, Some(kind)) => {
                if let Some(value) = text(&record.data) {
                    self.remove(&name, kind, &value);
                }
            }
            _ => {}
        }
    }

    /// An alias stands alone: RFC 2136 says to pass such an addition over in silence.
    fn clashes(&self, name: &str, kind: Kind) -> bool {
        self.names
            .get(name)
            .is_some_and(|kinds| kinds.keys().any(|other| (*other == Kind::Cname) != (kind == Kind::Cname)))
    }

    fn retain(&mut self, name: &str, keep: impl Fn(Kind) -> bool) {
        if let Some(kinds) = self.names.get_mut(name) {
            kinds.retain(|kind, _| keep(*kind));
            if kinds.is_empty() {
                self.names.remove(name);
            }
        }
    }

    fn remove(&mut self, name: &str, kind: Kind, value: &str) {
        let last_server = name == self.origin && kind == Kind::Ns;
        if let Some(set) = self.names.get_mut(name).and_then(|kinds| kinds.get_mut(&kind)) {
            if last_server && set.values.len() == 1 {
                return;
            }
            set.values.remove(value);
            if set.values.is_empty() {
                self.retain(name, |other| other != kind);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::{MessageType, OpCode, Query, UpdateMessage};
    use hickory_proto::rr::rdata::A;

    use super::*;

    fn zone() -> Zone {
        let mut zone = Zone::new("example.test");
        zone.put("shop.example.test", Kind::A, 1, "127.0.1.10");
        zone
    }

    fn record(name: &str, class: DNSClass, ttl: u32, data: RData) -> Record {
        let mut record = Record::from_rdata(absolute(name).unwrap(), ttl, data);
        record.dns_class = class;
        record
    }

    fn address(last: u8) -> RData {
        RData::A(A::new(127, 0, 1, last))
    }

    fn update(conditions: Vec<Record>, changes: Vec<Record>) -> Message {
        let mut message = Message::new(1, MessageType::Query, OpCode::Update);
        message.add_zone(Query::query(absolute("example.test").unwrap(), RecordType::SOA));
        message.add_pre_requisites(conditions);
        message.add_updates(changes);
        message
    }

    fn moved() -> Vec<Record> {
        vec![
            record("shop.example.test", DNSClass::ANY, 0, RData::Update0(RecordType::A)),
            record("shop.example.test", DNSClass::IN, 1, address(20)),
        ]
    }

    fn asked(zone: &Zone, name: &str, kind: RecordType) -> Message {
        let mut request = Message::query();
        request.add_query(Query::query(absolute(name).unwrap(), kind));
        let mut response = Message::response(1, OpCode::Query);
        zone.answer(&request, &mut response);
        response
    }

    #[test]
    fn an_update_with_the_right_prerequisite_moves_the_record() {
        let before = vec![record("shop.example.test", DNSClass::IN, 0, address(10))];
        let after = zone().updated(&update(before, moved())).unwrap();
        let answer = asked(&after, "SHOP.example.test", RecordType::A);
        assert_eq!(answer.answers.iter().map(|record| &record.data).collect::<Vec<_>>(), [&address(20)]);
        assert!(answer.metadata.authoritative);
        assert_eq!(after.serial, 2);
    }

    #[test]
    fn an_update_against_another_state_changes_nothing() {
        let wrong = vec![record("shop.example.test", DNSClass::IN, 0, address(11))];
        assert_eq!(zone().updated(&update(wrong, moved())), Err(ResponseCode::NXRRSet));
        let absent = vec![record("shop.example.test", DNSClass::NONE, 0, RData::Update0(RecordType::A))];
        assert_eq!(zone().updated(&update(absent, moved())), Err(ResponseCode::YXRRSet));
        let other = vec![record("x.example.test", DNSClass::ANY, 0, RData::Update0(RecordType::ANY))];
        assert_eq!(zone().updated(&update(other, moved())), Err(ResponseCode::NXDomain));
    }

    #[test]
    fn a_name_outside_the_zone_is_refused() {
        let foreign = vec![record("shop.example.com", DNSClass::IN, 1, address(20))];
        assert_eq!(zone().updated(&update(Vec::new(), foreign)), Err(ResponseCode::NotZone));
        assert_eq!(
            asked(&zone(), "notexample.test", RecordType::A).metadata.response_code,
            ResponseCode::Refused
        );
    }

    #[test]
    fn a_value_is_removed_by_itself_and_the_name_with_the_last_one() {
        let gone = vec![record("shop.example.test", DNSClass::NONE, 0, address(10))];
        let after = zone().updated(&update(Vec::new(), gone)).unwrap();
        let answer = asked(&after, "shop.example.test", RecordType::A);
        assert_eq!(answer.metadata.response_code, ResponseCode::NXDomain);
        assert_eq!(answer.authorities.len(), 1);
    }
}
