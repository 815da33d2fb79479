//! Domain names as Route 53 writes them.

/// Lower case, with the last dot: <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html>.
pub(crate) fn normal(name: &str) -> String {
    let mut name = name.trim().to_lowercase().replace("\\052", "*");
    if !name.ends_with('.') {
        name.push('.');
    }
    name
}

/// The name as listings show it: the asterisk as an escape.
pub(super) fn shown(name: &str) -> String {
    name.replace('*', "\\052")
}

/// The labels reversed: the order of listings.
///
/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListResourceRecordSets.html>
pub(super) fn reversed(name: &str) -> String {
    let mut labels: Vec<&str> = name.trim_end_matches('.').split('.').collect();
    labels.reverse();
    let mut reversed = labels.join(".");
    reversed.push('.');
    reversed
}

/// Whether a name is in a zone.
pub(super) fn is_within(name: &str, zone: &str) -> bool {
    name == zone || name.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'))
}

/// Whether it can stand in a zone at all.
pub(super) fn is_valid(name: &str) -> bool {
    let bare = name.trim_end_matches('.');
    !bare.is_empty()
        && bare.len() <= 255
        && bare.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
        })
}
