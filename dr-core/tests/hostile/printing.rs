//! Plans that were read and did not read back from their own printing.

use dr_core::plan::{Format, Plan};

use crate::plan;

#[track_caller]
fn reads_back(text: &str, format: Format) {
    assert!(Plan::parse(text, format).is_ok(), "{:?}", Plan::parse(text, format));
    plan::run(text.as_bytes());
}

fn with_step(step: &str) -> String {
    format!(
        "schema: dr/v1\nname: p\nresources: {{ r: {{ kind: k }} }}\nphases: [ {{ name: a, steps: [ {step} ] }} ]\n"
    )
}

/// Found: `do: wait` was printed as `wait: r`, which waits, and other options of a core verb became the step's own.
#[test]
fn a_core_verb_that_is_called_by_do_reads_back() {
    for with in [
        "{}",
        "{ id: x }",
        "{ within: 1m, when: never }",
        "{ fence: other }",
        "{ do: x, on: y }",
        "{ for: 10s }",
    ] {
        for verb in ["wait", "approve", "plan", "promote", "observe", "fake.flush"] {
            reads_back(&with_step(&format!("{{ do: {verb}, on: r, with: {with} }}")), Format::Yaml);
        }
    }
}

/// Found: the id that a share gives its step was longer than an id may be.
#[test]
fn a_route_in_shares_by_a_long_name_is_refused_until_it_has_an_id() {
    let route = |id: &str| with_step(&format!("{{ route: {}, {id} shares: [10, 100] }}", "r".repeat(100)));
    assert!(Plan::parse(&route(""), Format::Yaml).is_err());
    reads_back(&route("id: move,"), Format::Yaml);
}

/// Found: what stood there was overwritten by the verb's own value, and the step waited ten seconds.
#[test]
fn a_wait_with_its_own_option_beside_it_is_refused() {
    assert!(Plan::parse(&with_step("{ wait: 10s, for: 1h }"), Format::Yaml).is_err());
}

/// Found: YAML reads no key of more than 1,024 letters without a mark before it.
#[test]
fn a_long_key_reads_back() {
    let key = "k".repeat(2_000);
    let toml = format!(
        "schema = \"dr/v1\"\nname = \"p\"\n[resources.r]\nkind = \"k\"\n{key} = 1\n[[phases]]\nname = \"a\"\nsteps = [{{ observe = \"r\", with = {{ {key} = {{ {key} = [1] }} }} }}]\n"
    );
    reads_back(&toml, Format::Toml);
    reads_back(&with_step(&format!("{{ observe: r, ? {key} : 1 }}")), Format::Yaml);
}
