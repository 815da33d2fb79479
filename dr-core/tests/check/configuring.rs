//! What backends say of their own blocks.

use super::*;

#[test]
fn a_kind_without_a_backend_is_an_error() {
    let found = only(&changed("kind: store }\n  users", "kind: stor }\n  users"), Error, codes::UNKNOWN_KIND);
    assert_eq!((found.place.to_string().as_str(), found.help.as_str()), ("8:13", "did you mean `store`?"));
}

#[test]
fn what_a_backend_finds_wrong_stands_where_the_plan_has_it() {
    let found = only(
        &changed("entry: { kind: traffic,", "entry: { kind: traffic, identity: [x],"),
        Error,
        codes::BAD_CONFIG,
    );
    assert_eq!(found.place.to_string(), "11:27");
}

#[test]
fn where_a_backend_does_not_know_a_field_the_one_that_was_meant_is_named() {
    let found = changed("entry: { kind: traffic,", "entry: { kind: traffic, limits: { rot: 1m },");
    assert_eq!(only(&found, Error, codes::BAD_CONFIG).help, "did you mean `rto`?");
}

#[test]
fn a_number_is_given_as_text_where_the_schema_wants_text() {
    let found = changed("entry: { kind: traffic,", "entry: { kind: traffic, identity: 123456789012,");
    assert_eq!(shown(&found), "");
}
