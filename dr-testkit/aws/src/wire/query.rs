//! The Query protocol's form, folded into a tree.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Reads a form: `Tags.Tag.1.Key=a` becomes `{"Tags": [{"Key": "a"}]}`.
///
/// A list's element name (`member`, `Tag`) is left out: who reads it knows what it holds.
pub(crate) fn parse_form(form: &[u8]) -> Value {
    let mut root = Branch::default();
    for (name, value) in url::form_urlencoded::parse(form) {
        let mut branch = &mut root;
        for part in name.split('.') {
            branch = branch.below.entry(part.to_owned()).or_default();
        }
        branch.leaf = Some(value.into_owned());
    }
    // The root is a structure even if its only field is a list.
    Value::Object(root.below.into_iter().map(|(key, branch)| (key, branch.value())).collect())
}

#[derive(Default)]
struct Branch {
    leaf: Option<String>,
    below: BTreeMap<String, Branch>,
}

impl Branch {
    fn value(self) -> Value {
        if self.below.is_empty() {
            return Value::from(self.leaf.unwrap_or_default());
        }
        if self.below.keys().all(|key| key.parse::<u32>().is_ok()) {
            let mut numbered: Vec<(u32, Branch)> = self
                .below
                .into_iter()
                .filter_map(|(key, branch)| Some((key.parse().ok()?, branch)))
                .collect();
            numbered.sort_by_key(|(number, _)| *number);
            return numbered.into_iter().map(|(_, branch)| branch.value()).collect();
        }
        let mut fields: Map<String, Value> =
            self.below.into_iter().map(|(key, branch)| (key, branch.value())).collect();
        match fields.len() {
            // `Tags.Tag.1`: the only thing below the list's name is its element's name.
            1 if fields.values().all(Value::is_array) => {
                fields.values_mut().next().map(Value::take).unwrap_or_default()
            }
            _ => Value::Object(fields),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_with_numbered_names_is_read_as_lists() {
        let form = b"Action=X&Tags.Tag.2.Key=b&Tags.Tag.1.Key=a&Ids.member.1=i&Empty=&A.B=c";
        assert_eq!(
            parse_form(form),
            json!({"Action": "X", "Tags": [{"Key": "a"}, {"Key": "b"}], "Ids": ["i"], "Empty": "", "A": {"B": "c"}})
        );
    }

    #[test]
    fn ten_members_keep_their_order() {
        let form: Vec<String> = (1..=11).map(|n| format!("L.member.{n}={n}")).collect();
        let list = parse_form(form.join("&").as_bytes());
        assert_eq!(list["L"][10], "11");
        assert_eq!(list["L"][1], "2");
    }
}
