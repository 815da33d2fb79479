//! Findings as a person reads them: the line, a mark under it, and the way out.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use dr_core::plan::{Finding, Severity};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const NOTE: Style = AnsiColor::Cyan.on_default().bold();
const EDGE: Style = AnsiColor::Blue.on_default().bold();
const BOLD: Style = Style::new().bold();

/// One finding with the piece of the document that it is about.
pub(crate) fn render(finding: &Finding, path: &str, text: &str) -> String {
    let (style, word) = match finding.severity {
        Severity::Error => (ERROR, "error"),
        Severity::Warning => (WARNING, "warning"),
        Severity::Note => (NOTE, "note"),
    };
    let mut out = String::new();
    let _ = writeln!(out, "{style}{word}[{}]{style:#}{BOLD}: {}{BOLD:#}", finding.code, finding.message);
    let line = usize::try_from(finding.place.line).unwrap_or(0);
    let width = line.to_string().len();
    if let Some(source) = line.checked_sub(1).and_then(|index| text.lines().nth(index)) {
        let column = usize::try_from(finding.place.column).unwrap_or(1).max(1);
        let shown: String = without_secrets(source, finding, column).chars().take(140).collect();
        let mark =
            shown.chars().skip(column - 1).take_while(|c| !matches!(c, ',' | ':' | '}' | ' ')).count().max(1);
        let _ = writeln!(out, "{:width$}{EDGE}-->{EDGE:#} {path}:{}", "", finding.place);
        let _ = writeln!(out, "{:width$} {EDGE}|{EDGE:#}", "");
        let _ = writeln!(out, "{EDGE}{line} |{EDGE:#} {shown}");
        let _ = writeln!(
            out,
            "{:width$} {EDGE}|{EDGE:#} {:>pad$}{style}{}{style:#}",
            "",
            "",
            "^".repeat(mark),
            pad = (column - 1).min(WIDEST)
        );
    } else {
        let _ = writeln!(out, "{:width$}{EDGE}-->{EDGE:#} {path}", "");
    }
    if let Some(reason) = &finding.acknowledged {
        let _ = writeln!(out, "{:width$} {EDGE}={EDGE:#} acknowledged: {reason}", "");
    }
    if !finding.help.is_empty() {
        let _ = writeln!(out, "{:width$} {EDGE}={EDGE:#} help: {}", "", finding.help);
    }
    out
}

/// A finding further to the right is pointed at no more exactly.
const WIDEST: usize = 200;

/// The words before a value that nobody may see, should somebody have written it into the plan.
const SECRET: [&str; 11] = [
    "password",
    "passwd",
    "secret",
    "secrets",
    "token",
    "credential",
    "credentials",
    "authorization",
    "cookie",
    "key",
    "keys",
];

/// The line as it may be shown. What a finding wants replaced by a reference is most likely the secret itself, and
/// another finding's line may hold one beside what it is about.
fn without_secrets(line: &str, finding: &Finding, column: usize) -> String {
    if finding.message.contains("${env:") {
        let known: String = line.chars().take(column - 1).collect();
        let key: String =
            line.chars().skip(column - 1).take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        return format!("{known}{key}: …");
    }
    let small = line.to_ascii_lowercase();
    let literal = SECRET.iter().filter_map(|word| literal_after(&small, word)).min();
    if let Some(end) = literal {
        return format!("{}: …", &line[..end]);
    }
    match line.split_once("://").map(|(scheme, rest)| (scheme, rest.split_once('@'))) {
        Some((scheme, Some((user, rest)))) if user.contains(':') => format!("{scheme}://…@{rest}"),
        Some(_) | None => line.to_owned(),
    }
}

/// The end of the first such word that has a value which is no reference.
fn literal_after(line: &str, word: &str) -> Option<usize> {
    line.match_indices(word).map(|(at, _)| at + word.len()).find(|end| {
        let value = line[*end..].trim_start_matches(['"', '\'']).trim_start().strip_prefix([':', '=']);
        let value = value.map(|value| value.trim_start_matches([' ', '"', '\'']));
        // What stands in braces is looked at for itself.
        value.is_some_and(|value| !value.is_empty() && !value.starts_with("${") && !value.starts_with('{'))
    })
}

/// All of them, worst first, on standard error; returns how many block.
pub(crate) fn show(findings: &[Finding], path: &str, text: &str) -> usize {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| (finding.severity, finding.place));
    for finding in sorted {
        anstream::eprintln!("{}", render(finding, path, text));
    }
    findings.iter().filter(|finding| finding.blocks()).count()
}
