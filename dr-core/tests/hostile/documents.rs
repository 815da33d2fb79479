//! Documents that are small and want to be large.

use std::time::{Duration, Instant};

use dr_core::plan::{Finding, Format, Plan};

const HEAD: &str = "schema: dr/v1\nname: orders\n";
const TAIL: &str = "phases: [ { name: look, steps: [ { probe: shop } ] } ]\n";

/// Findings, in bounded time.
fn refused(text: &str, format: Format) -> Vec<Finding> {
    let begun = Instant::now();
    let findings = Plan::parse(text, format).expect_err("no plan");
    assert!(begun.elapsed() < Duration::from_secs(20), "it took {:?}", begun.elapsed());
    findings
}

fn is_too_large(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.code == dr_core::plan::codes::TOO_LARGE)
}

/// Found: aliases were counted, and not how long what they repeat is: 200 KB became gigabytes.
#[test]
fn a_long_text_that_aliases_repeat_is_refused_before_it_is_repeated() {
    let text = "x".repeat(100_000);
    let aliases = "*a, ".repeat(19_000);
    let findings = refused(&format!("{HEAD}x: &a {text}\ny: [ {aliases} ]\n"), Format::Yaml);
    assert!(is_too_large(&findings), "{findings:?}");
}

/// Found: the same through keys, which were not counted at all.
#[test]
fn a_long_key_that_aliases_repeat_is_refused_before_it_is_repeated() {
    let text = "x".repeat(100_000);
    let maps = "{ *a : 1 }, ".repeat(19_000);
    let findings = refused(&format!("{HEAD}x: &a {text}\ny: [ {maps} ]\n"), Format::Yaml);
    assert!(is_too_large(&findings), "{findings:?}");
}

/// Found: each anchor kept a copy of all that stands below it.
#[test]
fn anchors_around_anchors_are_refused_before_each_has_its_copy() {
    let open: String = (0..60).map(|level| format!("&a{level} [")).collect();
    let text = format!("{HEAD}x: {open}{}{}\n", "1,".repeat(200_000), "]".repeat(60));
    assert!(is_too_large(&refused(&text, Format::Yaml)));
}

/// Found: each part of a value kept the whole way to it, so a long key times many parts filled the memory.
#[test]
fn a_long_key_above_many_values_is_read_in_bounded_memory() {
    let key = "k".repeat(900);
    let values = "1,".repeat(300_000);
    let text = format!(
        "{HEAD}resources: {{ shop: {{ kind: door, {key}: {{ {key}: {{ {key}: [ {values} ] }} }} }} }}\n{TAIL}"
    );
    let begun = Instant::now();
    let plan = Plan::parse(&text, Format::Yaml).expect("a plan");
    assert!(begun.elapsed() < Duration::from_secs(20), "it took {:?}", begun.elapsed());
    let places = &plan.resources["shop"].places;
    assert!(places.keys().map(String::len).sum::<usize>() < 10_000_000);
    // What has no place of its own stands where the nearest thing around it does.
    assert!(plan.resources["shop"].place(&format!("/{key}/{key}/{key}/7")).line > 0);
}

/// Found: a step in shares is one step for each, each with a copy of all its options.
#[test]
fn shares_do_not_repeat_options_without_end() {
    let shares: Vec<String> = (1..=100).map(|share| share.to_string()).collect();
    let text = format!(
        "{HEAD}resources: {{ e: {{ kind: traffic }} }}\nphases: [ {{ name: a, steps: [ {{ route: e, shares: [{}], x: [{}] }} ] }} ]\n",
        shares.join(","),
        "1,".repeat(300_000),
    );
    assert!(!refused(&text, Format::Yaml).is_empty());
}

#[test]
fn toml_that_nests_by_dots_is_refused_and_not_recursed_into() {
    for text in
        [format!("{} = 1\n", vec!["a"; 100_000].join(".")), format!("[{}]\n", vec!["a"; 100_000].join("."))]
    {
        assert!(!refused(&text, Format::Toml).is_empty());
    }
}

#[test]
fn a_document_that_nests_deeply_is_refused_in_every_format() {
    for open in ["[", "{\"a\":", "{a: ", "- ", "? ", "a = [", "[[a.", "{a={a=", "!!x ", "&a "] {
        let text = open.repeat(400_000 / open.len());
        for format in [Format::Yaml, Format::Toml, Format::Json] {
            assert!(!refused(&text, format).is_empty());
        }
    }
}

/// Found: the column of each value was counted from the beginning of its line.
#[test]
fn a_long_line_of_toml_is_read_in_time_that_grows_with_it() {
    refused(&format!("x = [{}]\n", "1,".repeat(400_000)), Format::Toml);
    let keys: String = (0..60_000).map(|key| format!("k{key}=1,")).collect();
    refused(&format!("x = {{{}}}\n", keys.trim_end_matches(',')), Format::Toml);
}

/// Found: what was probably meant by a word was looked for in the product of its length and every name's.
#[test]
fn a_key_as_long_as_the_document_is_refused_quickly() {
    refused(&format!("? {}\n: 1\n", "k".repeat(1_000_000)), Format::Yaml);
    refused(&format!("{} = 1\n", "k".repeat(1_000_000)), Format::Toml);
}

#[test]
fn a_document_of_one_thing_repeated_is_read_in_time_that_grows_with_it() {
    for part in [
        "a: 1\n", "a", "\"", "'", "#", "\n", " ", "\t", ":", ",", "*a ", "|\n ", "a\n", "a = 1\n", "[a]\n",
        "[[a]]\n", "\\", "%", "---\n", "? a\n", "1.", "é", "{}", "[],", "\u{feff}",
    ] {
        let text = part.repeat(60_000 / part.len());
        for format in [Format::Yaml, Format::Toml, Format::Json] {
            assert!(!refused(&text, format).is_empty());
        }
    }
}

/// Found: a NUL in a TOML key was taken, and no other format has one.
#[test]
fn a_nul_is_refused_in_keys_too() {
    let text = "schema = \"dr/v1\"\nname = \"p\"\n[resources.shop]\nkind = \"door\"\n\"a\\u0000b\" = 1\n[[phases]]\nname = \"l\"\nsteps = [{ probe = \"shop\" }]\n";
    let findings = refused(text, Format::Toml);
    assert!(findings.iter().any(|finding| finding.message.contains("NUL")), "{findings:?}");
}
