//! The plan language: what it reads, and what it says about what it cannot read.

#![expect(clippy::panic, clippy::expect_used, reason = "a test says what is wrong by failing")]

use std::fmt::Write as _;
use std::time::Duration;

use dr_core::Side;
use dr_core::plan::{Finding, Format, Plan};
use serde_json::json;

const HEAD: &str = "schema: dr/v1\nname: orders\nresources: { orders: { kind: postgres } }\n";

fn plan(rest: &str) -> Plan {
    Plan::parse(&format!("{HEAD}{rest}"), Format::Yaml).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

fn wrong(text: &str) -> Vec<Finding> {
    Plan::parse(text, Format::Yaml).expect_err("not a plan")
}

fn shown(findings: &[Finding]) -> String {
    findings.iter().fold(String::new(), |mut text, finding| {
        let _ = writeln!(text, "{finding}\n    {}", finding.help);
        text
    })
}

fn codes(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.code.as_str()).collect()
}

const LOOK: &str = "phases: [ { name: look, steps: [ { observe: orders } ] } ]\n";

fn bare(plan: Plan) -> Plan {
    let mut bare = plan;
    bare.places.clear();
    bare.text = "".into();
    bare.hash.clear();
    for spec in bare.resources.values_mut() {
        (spec.place, spec.places) = Default::default();
    }
    for phase in &mut bare.phases {
        phase.place = Default::default();
        for step in &mut phase.steps {
            (step.place, step.places) = Default::default();
        }
    }
    bare
}

#[test]
fn the_examples_are_plans_and_print_as_themselves() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/plans");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let format = Format::of_path(&path).unwrap();
        let plan = Plan::read(&std::fs::read(&path).unwrap(), format)
            .unwrap_or_else(|findings| panic!("{}:\n{}", path.display(), shown(&findings)));
        let printed = plan.to_yaml();
        let again = Plan::parse(&printed, Format::Yaml)
            .unwrap_or_else(|findings| panic!("{printed}\n{}", shown(&findings)));
        assert_eq!(bare(again), bare(plan), "{printed}");
        read += 1;
    }
    assert!(read >= 2);
}

#[test]
fn a_step_is_one_verb_on_one_resource_and_the_rest_is_its_call() {
    let plan = plan(
        "phases:\n  - name: promote\n    within: 1m\n    steps:\n      \
         - { promote: orders, accept_loss: 10s, id: up, within: 30s, after: fence:orders, when: unplanned, optional: true }\n",
    );
    let step = &plan.phases[0].steps[0];
    assert_eq!((step.verb.as_str(), step.resource.as_ref().unwrap().as_str()), ("promote", "orders"));
    assert_eq!(step.call, json!({ "accept_loss": "10s" }));
    assert_eq!(step.id.as_deref(), Some("up"));
    assert_eq!(step.within, Some(Duration::from_secs(30)));
    assert_eq!(step.after, ["fence:orders"]);
    assert!(step.optional);
    assert_eq!(step.place("/accept_loss").to_string(), "8:28");
}

#[test]
fn the_value_of_wait_and_approve_is_an_option() {
    let plan =
        plan("phases: [ { name: p, steps: [ { wait: 10s }, { approve: \"go on?\", after: wait } ] } ]\n");
    let steps = &plan.phases[0].steps;
    assert_eq!((&steps[0].call, &steps[0].resource), (&json!({ "for": "10s" }), &None));
    assert_eq!(steps[1].call, json!({ "ask": "go on?" }));
}

#[test]
fn wait_beside_a_verb_is_its_option() {
    let plan = plan("phases: [ { name: p, steps: [ { observe: orders, wait: true } ] } ]\n");
    assert_eq!(plan.phases[0].steps[0].call, json!({ "wait": true }));
}

#[test]
fn a_backends_own_verb_is_called_by_do() {
    let plan =
        plan("phases: [ { name: p, steps: [ { do: acme.flush, on: orders, with: { all: true } } ] } ]\n");
    let step = &plan.phases[0].steps[0];
    assert_eq!((step.verb.as_str(), &step.call), ("acme.flush", &json!({ "all": true })));
}

#[test]
fn text_is_taken_as_it_was_written() {
    let plan = Plan::parse(
        "schema: dr/v1\nname: no\nsource: 012345678901\ntarget: 1_0\n\
         resources: { a: { kind: x, account: 012345678901, version: 1.10, port: 5432, hex: 0x1f, yes: yes, big: 123456789012 } }\n\
         phases: [ { name: p, steps: [ { observe: a } ] } ]\n",
        Format::Yaml,
    )
    .unwrap();
    assert_eq!(plan.name, "no");
    assert_eq!(plan.source, Some(Side::new("012345678901")));
    assert_eq!(plan.target, Some(Side::new("1_0")));
    assert_eq!(
        plan.resources["a"].config,
        json!({ "account": "012345678901", "version": "1.10", "port": 5432, "hex": "0x1f", "yes": "yes", "big": 123_456_789_012_i64 })
    );
}

#[test]
fn one_prober_may_stand_without_a_list() {
    let one = plan(&format!("measure: {{ outage: {{ probe: shop }}, loss: {{ store: orders }} }}\n{LOOK}"));
    let list =
        plan(&format!("measure: {{ outage: [ {{ probe: shop }} ], loss: [ {{ store: orders }} ] }}\n{LOOK}"));
    assert_eq!(one.measure, list.measure);
    assert_eq!((one.measure.outages[0].recovered_after, one.measure.outages.len()), (3, 1));
}

#[test]
fn state_is_a_text_or_a_map() {
    assert_eq!((plan(LOOK).state.at.as_str(), plan(LOOK).state.local), (".dr", false));
    assert_eq!(plan(&format!("state: s3://b/p\n{LOOK}")).state.at, "s3://b/p");
    let map = plan(&format!("state: {{ at: /x, local: true, region: eu-west-1 }}\n{LOOK}")).state;
    assert_eq!((map.local, map.region.unwrap().as_str()), (true, "eu-west-1"));
}

#[test]
fn a_reference_to_a_secret_stays_as_it_is() {
    let plan = plan(LOOK).text.replace("kind: postgres", "kind: postgres, password: \"${env:HOME}\"");
    let plan = Plan::parse(&plan, Format::Yaml).unwrap();
    assert_eq!(plan.resources["orders"].config, json!({ "password": "${env:HOME}" }));
}

#[test]
fn the_hash_is_of_the_text() {
    let plan = plan(LOOK);
    assert_eq!(plan.hash.len(), 64);
    assert_eq!(&*plan.text, format!("{HEAD}{LOOK}"));
}

#[test]
fn toml_and_json_say_the_same() {
    let yaml = plan(
        "budget: { rto: < 5m }\nphases: [ { name: p, within: 1m, steps: [ { scale: orders, replicas: 3 } ] } ]\n",
    );
    let toml = Plan::parse(
        "schema = 'dr/v1'\nname = 'orders'\nbudget = { rto = '< 5m' }\n[resources.orders]\nkind = 'postgres'\n\
         [[phases]]\nname = 'p'\nwithin = '1m'\n[[phases.steps]]\nscale = 'orders'\nreplicas = 3\n",
        Format::Toml,
    )
    .unwrap();
    let json = Plan::parse(
        r#"{"schema":"dr/v1","name":"orders","budget":{"rto":"< 5m"},"resources":{"orders":{"kind":"postgres"}},
            "phases":[{"name":"p","within":"1m","steps":[{"scale":"orders","replicas":3}]}]}"#,
        Format::Json,
    )
    .unwrap();
    assert_eq!(toml.phases[0].steps[0].place("/replicas").to_string(), "11:1");
    assert_eq!(json.phases[0].steps[0].place("/replicas").to_string(), "2:76");
    assert_eq!(bare(toml), bare(yaml.clone()));
    assert_eq!(bare(json), bare(yaml));
}

#[test]
fn everything_that_is_wrong_is_reported_with_its_place() {
    let findings = wrong(
        r#"schema: dr/v2
name: "two words"
sorce: us-east-1
budget: { rto: soon, rpo: 900000000y, detection: 0s, rtoo: 1m }
on_failure: und
state: [a]
acknowledge: { code: weak-verification, reason: "" }
resources:
  orders: { kind: postgres }
  shop: { url: "http://x" }
  "a b": { kind: http }
  orders: { kind: http }
measure:
  outage: { probe: shop, every: 1ms, recovered_after: 0, write: yes }
  loss: [ { every: 1s } ]
phases:
  - name: preflight
    within: 5
    when: never
    steps:
      - { promot: orders }
      - { fence: orders, promote: orders }
      - { within: 3s }
      - { banana: 3 }
      - { observe: [orders] }
      - { wait: {} }
      - { do: acme.flush, with: 3, extra: 1 }
  - { name: preflight, steps: [] }
  - { steps: 3 }
  - 7
"#,
    );
    insta::assert_snapshot!(shown(&findings));
}

#[test]
fn a_document_that_is_none_says_where_it_breaks() {
    let deep = format!("schema: dr/v1\nname: {}", "[".repeat(200));
    let closed = format!("schema: dr/v1\nname: {}{}", "[".repeat(100), "]".repeat(100));
    let long = "a".repeat(2_000_000);
    let bomb = {
        let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..9 {
            let _ =
                writeln!(text, "a{level}: &a{level} [{}]", vec![format!("*a{}", level - 1); 10].join(","));
        }
        text
    };
    let texts = [
        "",
        "   \n# only a comment\n",
        "{}",
        "null",
        "[1, 2]",
        "just words",
        "name: [a, b\nphases: {",
        "a: 1\n---\nb: 2\n",
        "name: \"a\0b\"",
        "name: \"a\\0b\"",
        "a: *nowhere",
        "a: &a [*a]",
        "<<: { name: x }",
        "? [a]\n: b",
        "name: !!binary aGk=",
        "name: !mine x",
        "\tname: x",
        deep.as_str(),
        closed.as_str(),
        long.as_str(),
        bomb.as_str(),
    ];
    let all = texts.iter().fold(String::new(), |mut all, text| {
        let head: String = text.chars().take(30).collect();
        let _ = writeln!(all, "{head:?}\n{}", shown(&wrong(text)));
        all
    });
    insta::assert_snapshot!(all);
}

#[test]
fn bytes_that_are_no_text_are_refused_where_they_begin() {
    let findings = Plan::read(b"schema: dr/v1\nname: \xff\xfe", Format::Yaml).unwrap_err();
    assert_eq!(
        shown(&findings),
        "2:7: the file is not UTF-8 from here on [not-utf8]\n    save it as UTF-8\n"
    );
    let findings = Plan::read(&vec![0xff; 10_000_000], Format::Yaml).unwrap_err();
    assert_eq!(codes(&findings), ["too-large"]);
}

#[test]
fn broken_toml_and_json_say_where() {
    let toml = Plan::parse("name = 'a'\nname = 'b'\nx = \n", Format::Toml).unwrap_err();
    let json = Plan::parse("{\"name\": \"a\",}", Format::Json).unwrap_err();
    let yaml_in_json = Plan::parse("name: a", Format::Json).unwrap_err();
    insta::assert_snapshot!([toml, json, yaml_in_json].iter().map(|f| shown(f)).collect::<String>());
}

#[test]
fn an_alias_repeats_a_value() {
    let plan = Plan::parse(
        "schema: dr/v1\nname: a\nresources: { a: &r { kind: x, n: 1 }, b: *r }\nphases: [ { name: p, steps: [ { observe: a } ] } ]\n",
        Format::Yaml,
    )
    .unwrap();
    assert_eq!(plan.resources["a"].config, plan.resources["b"].config);
}

#[test]
fn ten_thousand_steps_are_a_plan() {
    let mut text = format!("{HEAD}phases:\n  - name: p\n    steps:\n");
    for step in 0..10_000 {
        let _ = writeln!(text, "      - {{ observe: orders, id: s{step} }}");
    }
    assert_eq!(Plan::parse(&text, Format::Yaml).unwrap().phases[0].steps.len(), 10_000);
}

#[test]
fn one_long_line_of_json_is_a_plan() {
    let steps: Vec<_> = (0..3_000).map(|step| json!({ "observe": "a", "id": format!("s{step}") })).collect();
    let plan = json!({
        "schema": "dr/v1", "name": "p", "resources": { "a": { "kind": "x" } },
        "phases": [{ "name": "p", "steps": steps }],
    });
    assert_eq!(Plan::parse(&plan.to_string(), Format::Json).unwrap().phases[0].steps.len(), 3_000);
}
