//! What holds for every plan, and for every text that is none.

use std::collections::BTreeMap;
use std::time::Duration;

use dr_core::plan::{
    Acknowledgement, Format, Limit, LossSpec, Measure, OnFailure, OutageSpec, Phase, Place, Plan,
    ResourceSpec, RtoRpoBudget, StateLocation, Step, Strictness,
};
use dr_core::resource::Urgency;
use dr_core::{PhaseName, Region, ResourceName, Side};
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Map, Value};

const NAME: &str = "[a-z0-9_.-]{1,12}|no|null|true|1_0|0x1f|1e5|012|~|é{1,3}";

fn name() -> impl Strategy<Value = String> {
    NAME.prop_filter("names have no tilde", |name| name != "~")
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just("${env:X}".to_owned()), Just(" - a: #b".to_owned()), "[^\u{0}]{1,20}"]
        .prop_filter("not only space", |text| !text.trim().is_empty())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::from),
        "[^\u{0}]{0,20}".prop_map(Value::String),
        name().prop_map(Value::String),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            btree_map("[^\u{0}]{1,8}", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Options and configurations: no key that the step or the resource has for itself.
fn object() -> impl Strategy<Value = Value> {
    btree_map("x[a-z0-9 ]{0,8}|<<|\u{e9}|\u{1F600}", value(), 0..4)
        .prop_map(|map| Value::Object(Map::from_iter(map)))
}

fn duration() -> impl Strategy<Value = Duration> {
    (10_u64..10_000_000_000).prop_map(Duration::from_millis)
}

fn limit() -> impl Strategy<Value = Limit> {
    (any::<bool>(), duration()).prop_map(|(below, time)| Limit {
        strictness: if below { Strictness::Below } else { Strictness::AtMost },
        time,
    })
}

fn urgency() -> impl Strategy<Value = Urgency> {
    prop_oneof![Just(Urgency::Planned), Just(Urgency::Unplanned)]
}

fn said() -> impl Strategy<Value = (String, Option<ResourceName>, Value)> {
    let with = |key: &'static str| {
        (text(), object()).prop_map(move |(text, mut call)| {
            call[key] = Value::String(text);
            call
        })
    };
    prop_oneof![
        (prop_oneof!["promote", "observe", "scale", "route", "acme\\.flush"], name(), object())
            .prop_map(|(verb, name, call)| (verb, Some(ResourceName::new(name)), call)),
        with("for").prop_map(|call| ("wait".to_owned(), None, call)),
        with("ask").prop_map(|call| ("approve".to_owned(), None, call)),
    ]
}

prop_compose! {
    fn step()(
        said in said(),
        id in of(name()),
        within in of(duration()),
        after in vec(text(), 0..3),
        when in of(urgency()),
        optional in any::<bool>(),
    ) -> Step {
        let (verb, resource, call) = said;
        Step { id, verb, resource, call, within, after, when, optional, place: Place::default(), places: BTreeMap::new() }
    }
}

prop_compose! {
    fn phase()(
        name in name(),
        within in of(duration()),
        after in of(vec(text().prop_map(PhaseName::new), 0..3)),
        when in of(urgency()),
        steps in vec(step(), 1..4),
    ) -> Phase {
        Phase { name: PhaseName::new(name), within, after, when, steps, place: Place::default() }
    }
}

fn budget() -> impl Strategy<Value = RtoRpoBudget> {
    (of(limit()), of(limit()), of(duration()), of(duration()))
        .prop_map(|(rto, rpo, detection, decision)| RtoRpoBudget { rto, rpo, detection, decision })
}

fn state() -> impl Strategy<Value = StateLocation> {
    (text(), any::<bool>(), of(name().prop_map(Region::new))).prop_map(|(at, local, region)| StateLocation {
        at,
        local,
        region,
    })
}

fn resource() -> impl Strategy<Value = ResourceSpec> {
    (name(), object()).prop_map(|(kind, config)| ResourceSpec {
        kind,
        config,
        place: Place::default(),
        places: BTreeMap::new(),
    })
}

fn measure() -> impl Strategy<Value = Measure> {
    let outage = (name(), duration(), 1_u32..1_000, any::<bool>()).prop_map(
        |(probe, every, recovered_after, write)| OutageSpec {
            probe: ResourceName::new(probe),
            every,
            recovered_after,
            write,
        },
    );
    let loss = (name(), of(name()), duration()).prop_map(|(store, via, every)| LossSpec {
        store: ResourceName::new(store),
        via: via.map(ResourceName::new),
        every,
    });
    (vec(outage, 0..3), vec(loss, 0..3)).prop_map(|(outages, losses)| Measure { outages, losses })
}

prop_compose! {
    fn plan()(
        name in name(),
        sides in (of(name().prop_map(Side::new)), of(name().prop_map(Side::new))),
        budget in budget(),
        state in state(),
        on_failure in of(prop_oneof![Just(OnFailure::Undo), Just(OnFailure::Hold)]),
        acknowledge in vec((name(), text()), 0..3),
        resources in btree_map(name().prop_map(ResourceName::new), resource(), 0..4),
        measure in measure(),
        phases in vec(phase(), 1..4),
    ) -> Plan {
        let mut phases: Vec<Phase> = phases;
        for (index, phase) in phases.iter_mut().enumerate() {
            phase.name = PhaseName::new(format!("{}{index}", phase.name));
        }
        Plan {
            name,
            source: sides.0,
            target: sides.1,
            budget,
            state,
            on_failure,
            acknowledge: acknowledge.into_iter().map(|(code, reason)| Acknowledgement { code, reason }).collect(),
            resources,
            measure,
            phases,
            places: BTreeMap::new(),
            text: "".into(),
            hash: String::new(),
        }
    }
}

fn placeless(mut plan: Plan) -> Plan {
    plan.places.clear();
    plan.text = "".into();
    plan.hash.clear();
    for spec in plan.resources.values_mut() {
        (spec.place, spec.places) = Default::default();
    }
    for phase in &mut plan.phases {
        phase.place = Place::default();
        for step in &mut phase.steps {
            (step.place, step.places) = Default::default();
        }
    }
    plan
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_printed_plan_reads_as_itself(plan in plan()) {
        let printed = plan.to_yaml();
        let again = Plan::parse(&printed, Format::Yaml);
        let again = again.map_err(|found| TestCaseError::fail(format!("{found:#?}\n{printed}")))?;
        prop_assert_eq!(placeless(again), plan, "{}", printed);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in vec(any::<u8>(), 0..400)) {
        for format in [Format::Yaml, Format::Toml, Format::Json] {
            let _ = Plan::read(&bytes, format);
        }
    }

    #[test]
    fn no_broken_plan_makes_the_reader_panic(plan in plan(), at in any::<prop::sample::Index>(), with in "[^a]{0,6}") {
        let mut text = plan.to_yaml();
        let at = at.index(text.len());
        if let Some(at) = (at..text.len()).find(|at| text.is_char_boundary(*at)) {
            text.insert_str(at, &with);
        }
        for format in [Format::Yaml, Format::Toml, Format::Json] {
            let _ = Plan::parse(&text, format);
        }
    }

    #[test]
    fn no_punctuation_makes_the_reader_panic(text in "[-:?,\\[\\]{}#&*!|>'\"%@` \n\tab=.0]{0,200}") {
        for format in [Format::Yaml, Format::Toml, Format::Json] {
            let _ = Plan::parse(&text, format);
        }
    }

    #[test]
    fn json_reads_as_json(config in object()) {
        let json = serde_json::json!({
            "schema": "dr/v1", "name": "p", "resources": { "r": config_of(&config) },
            "phases": [{ "name": "a", "steps": [{ "observe": "r" }] }],
        });
        for text in [json.to_string(), serde_json::to_string_pretty(&json).unwrap()] {
            let plan = Plan::parse(&text, Format::Json);
            let plan = plan.map_err(|found| TestCaseError::fail(format!("{found:#?}\n{text}")))?;
            prop_assert_eq!(&plan.resources["r"].config, &config, "{}", text);
        }
    }
}

fn config_of(config: &Value) -> Value {
    let mut with_kind = config.clone();
    with_kind["kind"] = "k".into();
    with_kind
}
