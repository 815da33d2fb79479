//! Quantities as Kubernetes writes them.

/// In thousandths: `500m` is 500, `2` is 2000, `1Gi` is 2^30 thousand. `None` for what is no quantity.
pub(crate) fn thousandths(text: &str) -> Option<i128> {
    const UNITS: [(&str, i128); 14] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("Pi", 1 << 50),
        ("Ei", 1 << 60),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
        ("P", 1_000_000_000_000_000),
        ("E", 1_000_000_000_000_000_000),
        ("m", 0),
        ("", 1),
    ];
    let (number, unit) = UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))?;
    // At most six decimals: nobody asks for less than a millionth of a byte.
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction: String = format!("{fraction:0<6}").chars().take(6).collect();
    let millionths = whole.parse::<i128>().ok()? * 1_000_000 + fraction.parse::<i128>().ok()?;
    Some(if unit == 0 { millionths / 1_000_000 } else { millionths * unit / 1_000 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_the_server_writes_them() {
        assert_eq!(thousandths("500m"), Some(500));
        assert_eq!(thousandths("2"), Some(2_000));
        assert_eq!(thousandths("0.1"), Some(100));
        assert_eq!(thousandths("1Gi"), Some(1_073_741_824_000));
        assert_eq!(thousandths("64M"), Some(64_000_000_000));
        assert_eq!(thousandths("lots"), None);
    }
}
