//! Tables as `kubectl get -o wide` shows them: same columns, same words.

use std::time::Duration;

use dr_core::Timestamp;

use crate::state::{DeploymentRow, NodeRow, PodRow};

/// `2d4h`, as kubectl shortens an age.
pub(crate) fn age(of: Option<Timestamp>, at: Timestamp) -> String {
    let Some(of) = of else { return "<unknown>".to_owned() };
    human(at.since(of))
}

fn human(age: Duration) -> String {
    let seconds = age.as_secs();
    let two = |large: u64, mark: char, small: u64, small_mark: char| {
        if small == 0 { format!("{large}{mark}") } else { format!("{large}{mark}{small}{small_mark}") }
    };
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..120 => format!("{seconds}s"),
        _ if minutes < 10 => two(minutes, 'm', seconds % 60, 's'),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => two(hours, 'h', minutes % 60, 'm'),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 192 => two(days, 'd', hours % 24, 'h'),
        _ if days < 365 * 2 => format!("{days}d"),
        _ if days < 365 * 8 => two(days / 365, 'y', days % 365, 'd'),
        _ => format!("{}y", days / 365),
    }
}

/// A longer cell is written out, and what follows it moves.
const WIDEST: usize = 1_000;

/// Columns aligned as kubectl aligns them: as wide as their widest cell, three spaces between.
fn aligned(header: &[&str], rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = header
        .iter()
        .enumerate()
        .map(|(column, title)| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.chain([title.len()]).max().unwrap_or_default().min(WIDEST)
        })
        .collect();
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut written = String::new();
        for (cell, width) in cells.zip(&widths) {
            written.push_str(&format!("{cell:<width$}   "));
        }
        text.push_str(written.trim_end());
        text.push('\n');
    };
    line(&mut header.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    text
}

/// What stands where there is nothing.
fn or<'a>(text: &'a str, none: &'a str) -> &'a str {
    if text.is_empty() { none } else { text }
}

/// `kubectl get deployments -o wide`.
pub(crate) fn deployments(rows: &[DeploymentRow], at: Timestamp) -> String {
    let header = ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"];
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                row.name.clone(),
                format!("{}/{}", row.ready, row.desired),
                row.updated.to_string(),
                row.available.to_string(),
                age(row.created, at),
                or(&row.containers, "<none>").to_owned(),
                or(&row.images, "<none>").to_owned(),
                or(&row.selector, "<none>").to_owned(),
            ]
        })
        .collect();
    aligned(&header, &rows)
}

/// `kubectl get pods -o wide`.
pub(crate) fn pods(rows: &[PodRow], at: Timestamp) -> String {
    let header =
        ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE", "NOMINATED NODE", "READINESS GATES"];
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let restarts = match row.restarted {
                Some(restarted) if row.restarts > 0 => {
                    format!("{} ({} ago)", row.restarts, age(Some(restarted), at))
                }
                Some(_) | None => row.restarts.to_string(),
            };
            vec![
                row.name.clone(),
                format!("{}/{}", row.ready, row.containers),
                row.status.clone(),
                restarts,
                age(row.created, at),
                or(&row.ip, "<none>").to_owned(),
                or(&row.node, "<none>").to_owned(),
                or(&row.nominated, "<none>").to_owned(),
                or(&row.gates, "<none>").to_owned(),
            ]
        })
        .collect();
    aligned(&header, &rows)
}

/// `kubectl get nodes -o wide`.
pub(crate) fn nodes(rows: &[NodeRow], at: Timestamp) -> String {
    let header = [
        "NAME",
        "STATUS",
        "ROLES",
        "AGE",
        "VERSION",
        "INTERNAL-IP",
        "EXTERNAL-IP",
        "OS-IMAGE",
        "KERNEL-VERSION",
        "CONTAINER-RUNTIME",
    ];
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                row.name.clone(),
                row.status.clone(),
                or(&row.roles, "<none>").to_owned(),
                age(row.created, at),
                row.version.clone(),
                or(&row.internal_ip, "<none>").to_owned(),
                or(&row.external_ip, "<none>").to_owned(),
                or(&row.os, "<unknown>").to_owned(),
                or(&row.kernel, "<unknown>").to_owned(),
                or(&row.runtime, "<unknown>").to_owned(),
            ]
        })
        .collect();
    aligned(&header, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_shortened_as_kubectl_shortens_it() {
        let shown = |seconds: u64| human(Duration::from_secs(seconds));
        assert_eq!(shown(0), "0s");
        assert_eq!(shown(119), "119s");
        assert_eq!(shown(120), "2m");
        assert_eq!(shown(125), "2m5s");
        assert_eq!(shown(11 * 60 + 5), "11m");
        assert_eq!(shown(3 * 3_600 + 5 * 60), "3h5m");
        assert_eq!(shown(9 * 3_600), "9h");
        assert_eq!(shown(52 * 3_600), "2d4h");
        assert_eq!(shown(9 * 86_400), "9d");
        assert_eq!(shown(800 * 86_400), "2y70d");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let at = Timestamp::from_millis(1_800_000_000_000);
        let created = Some(at.minus(Duration::from_secs(3 * 86_400 + 3_600)));
        let row = |name: &str, ready: usize, status: &str, node: &str| {
            let restarted = Some(at.minus(Duration::from_secs(75)));
            let mut row =
                PodRow { name: name.to_owned(), ready, containers: 1, created, ..PodRow::default() };
            (row.status, row.node, row.ip) = (status.to_owned(), node.to_owned(), "10.0.0.7".to_owned());
            (row.restarts, row.restarted) = if ready == 0 { (4, restarted) } else { (0, None) };
            row
        };
        let rows = [row("web-5d9-x2", 1, "Running", "n1"), row("api-1-z", 0, "CrashLoopBackOff", "node-12")];
        insta::assert_snapshot!(pods(&rows, at), @r"
        NAME         READY   STATUS             RESTARTS      AGE    IP         NODE      NOMINATED NODE   READINESS GATES
        web-5d9-x2   1/1     Running            0             3d1h   10.0.0.7   n1        <none>           <none>
        api-1-z      0/1     CrashLoopBackOff   4 (75s ago)   3d1h   10.0.0.7   node-12   <none>           <none>
        ");
    }

    #[test]
    fn an_empty_table_still_has_its_header() {
        assert!(deployments(&[], Timestamp::from_millis(0)).starts_with("NAME   READY   UP-TO-DATE"));
    }
}
