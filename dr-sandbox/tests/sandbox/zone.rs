//! The name server: it takes updates that are signed, and no others.

use std::net::UdpSocket;
use std::time::Duration;

use crate::support::Sandbox;
use dr_sandbox::Up;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode, UpdateMessage};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType, TSigner};

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn record(class: DNSClass, ttl: u32, data: RData) -> Record {
    let mut record = Record::from_rdata(name("shop.example.test."), ttl, data);
    record.dns_class = class;
    record
}

fn address(text: &str) -> RData {
    RData::A(A(text.parse().unwrap()))
}

/// From one address to another, if it still is the one.
fn move_to(from: &str, to: &str) -> Message {
    let mut message = Message::new(77, MessageType::Query, OpCode::Update);
    message.add_zone(Query::query(name("example.test."), RecordType::SOA));
    message.add_pre_requisite(record(DNSClass::IN, 0, address(from)));
    message.add_update(record(DNSClass::ANY, 0, RData::Update0(RecordType::A)));
    message.add_update(record(DNSClass::IN, 1, address(to)));
    message
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn signer(sandbox: &Sandbox, key_name: &str, spoil: bool) -> TSigner {
    let text = std::fs::read_to_string(sandbox.dir().join("secrets/tsig")).unwrap();
    let mut key = data_encoding::BASE64.decode(text.trim().as_bytes()).unwrap();
    if spoil {
        key[0] ^= 1;
    }
    TSigner::new(key, TsigAlgorithm::HmacSha256, name(key_name), 300).unwrap()
}

fn ask(sandbox: &Sandbox, message: &Message) -> (Message, Vec<u8>) {
    let server = sandbox.state()["dns"].as_str().unwrap().to_owned();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.send_to(&message.to_vec().unwrap(), server).unwrap();
    let mut buffer = vec![0; 4096];
    let length = socket.recv(&mut buffer).unwrap();
    buffer.truncate(length);
    (Message::from_vec(&buffer).unwrap(), buffer)
}

fn signed(message: &Message, signer: &TSigner) -> Message {
    let mut message = message.clone();
    let signature = signer.sign_message(&message, now()).unwrap().0;
    message.set_signature(signature);
    message
}

#[tokio::test]
async fn only_a_signed_update_of_what_is_there_moves_the_name() {
    let sandbox = Sandbox::with(Up { load: 0, ..Up::default() }).await;
    let state = sandbox.state();
    let ip =
        |side: &str| state["regions"][side]["app"].as_str().unwrap().split(':').next().unwrap().to_owned();
    let (us, eu) = (ip("us-east-1"), ip("eu-central-1"));
    let update = move_to(&us, &eu);

    assert_eq!(ask(&sandbox, &update).0.metadata.response_code, ResponseCode::Refused);
    let spoilt = signed(&update, &signer(&sandbox, "dr-key.", true));
    assert_eq!(ask(&sandbox, &spoilt).0.metadata.response_code, ResponseCode::NotAuth);
    let stranger = signed(&update, &signer(&sandbox, "other-key.", false));
    assert_eq!(ask(&sandbox, &stranger).0.metadata.response_code, ResponseCode::NotAuth);
    assert_eq!(sandbox.status().await["routed"], "us-east-1");

    let good = signer(&sandbox, "dr-key.", false);
    let mut request = update.clone();
    let (signature, verifier) = good.sign_message(&request, now()).unwrap();
    request.set_signature(signature);
    let (answer, bytes) = ask(&sandbox, &request);
    assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
    verifier.unwrap().verify(&bytes).expect("the answer is signed too");
    assert_eq!(sandbox.status().await["routed"], "eu-central-1");

    let again = signed(&update, &good);
    assert_eq!(ask(&sandbox, &again).0.metadata.response_code, ResponseCode::NXRRSet);
    let kept = std::fs::read_to_string(sandbox.dir().join("zone.json")).unwrap();
    assert!(kept.contains(&eu), "an update is on the disk before it is confirmed: {kept}");
}
