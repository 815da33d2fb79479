//! A bundle's summary for a terminal: plain text, columns aligned, no markup and no surprises.

use std::fmt::Write as _;
use std::path::Path;

use dr_core::Result;

use crate::bundle::SUMMARY;
use crate::reading::read;

/// The widest that a column is made; a longer cell sticks out.
const WIDEST: usize = 200;
/// The longest summary that is shown.
const LONGEST: u64 = 16 << 20;

/// The summary of a bundle as a terminal shows it. It is not verified: [`crate::verify`] does that.
///
/// # Errors
/// `NotFound` if there is no summary, `Invalid` if it is too long to be one.
pub fn show(folder: &Path) -> Result<String> {
    let bytes = read(folder, SUMMARY, LONGEST)?;
    Ok(plain(&String::from_utf8_lossy(&bytes)))
}

fn plain(markdown: &str) -> String {
    let (mut text, mut table) = (String::new(), Vec::new());
    for line in markdown.lines() {
        if let Some(row) = cells(line) {
            table.push(row);
            continue;
        }
        write_table(&mut text, &mut table);
        let (level, rest) = match line.trim_start_matches('#') {
            rest if rest.len() < line.len() && rest.starts_with(' ') => {
                (line.len() - rest.len(), rest.trim())
            }
            _ => (0, line),
        };
        let shown = bare(rest.strip_prefix("> ").unwrap_or(rest));
        // Writing to a String cannot fail.
        let _ = match level {
            0 if rest.starts_with("> ") => writeln!(text, "    {shown}"),
            0 => writeln!(text, "{shown}"),
            1 => writeln!(text, "{shown}\n{}", "═".repeat(shown.chars().count())),
            _ => writeln!(text, "{shown}\n{}", "─".repeat(shown.chars().count())),
        };
    }
    write_table(&mut text, &mut table);
    text
}

/// A table's cells, without markup; `None` if the line is no table's.
fn cells(line: &str) -> Option<Vec<String>> {
    let inner = line.strip_prefix('|')?.strip_suffix('|')?;
    let (mut cells, mut cell, mut escaped) = (Vec::new(), String::new(), false);
    for char in inner.chars() {
        if char == '|' && !escaped {
            cells.push(std::mem::take(&mut cell));
        } else {
            cell.push(char);
        }
        escaped = char == '\\' && !escaped;
    }
    cells.push(cell);
    Some(cells.iter().map(|cell| bare(cell.trim())).collect())
}

fn write_table(text: &mut String, rows: &mut Vec<Vec<String>>) {
    let is_rule =
        |row: &Vec<String>| row.iter().all(|cell| !cell.is_empty() && cell.chars().all(|char| char == '-'));
    rows.retain(|row| !is_rule(row));
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let lengths = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            lengths.max().unwrap_or(0).min(WIDEST)
        })
        .collect();
    for row in rows.drain(..) {
        let line: String = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}  ")).collect();
        let _ = writeln!(text, "  {}", line.trim_end());
    }
}

/// Without emphasis, code marks, escapes and control characters.
fn bare(markdown: &str) -> String {
    let mut text = String::with_capacity(markdown.len());
    let mut chars = markdown.chars().peekable();
    let mut code = false;
    while let Some(char) = chars.next() {
        match char {
            '\\' if !code => text.extend(chars.next().filter(|next| !next.is_control())),
            '`' => code = !code,
            '*' if !code && chars.peek() == Some(&'*') => {
                chars.next();
            }
            char if char.is_control() => text.push(' '),
            char => text.push(char),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_escape_sequences_do_not_reach_a_terminal() {
        let page = "# a: *b*\n\n**x** `y|z` \\<q\\> \x1b[2J\n\n| a | b\\|c |\n| - | --- |\n| long | 1 |\n";
        assert_eq!(
            plain(page),
            "a: *b*\n══════\n\nx y|z <q> [2J\n\n  a     b|c\n  long  1\n".replace(" [2J", "  [2J")
        );
    }
}
