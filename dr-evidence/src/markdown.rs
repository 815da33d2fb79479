//! The little Markdown that our pages are written in.

use std::fmt::Write as _;

/// The widest that a column is made: a longer cell sticks out, and its neighbours are not filled up to it.
const WIDEST: usize = 200;

/// A page under way.
#[derive(Debug, Default)]
pub(crate) struct Page {
    text: String,
}

impl Page {
    pub(crate) fn heading(&mut self, level: usize, text: &str) {
        self.gap();
        let _ = writeln!(self.text, "{} {}", "#".repeat(level), inline(text));
    }

    /// A paragraph; its text is Markdown already.
    pub(crate) fn paragraph(&mut self, text: &str) {
        self.gap();
        let _ = writeln!(self.text, "{text}");
    }

    /// A list; its items are Markdown already.
    pub(crate) fn list(&mut self, items: &[String]) {
        self.gap();
        for item in items {
            let _ = writeln!(self.text, "- {item}");
        }
    }

    /// A table; its cells are Markdown already. Columns are aligned in the source too.
    pub(crate) fn table<const N: usize>(&mut self, head: [&str; N], rows: &[[String; N]]) {
        self.gap();
        let widths: [usize; N] = std::array::from_fn(|column| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([head[column].chars().count(), 3]).max().unwrap_or(3).min(WIDEST)
        });
        let mut line = |cells: [&str; N]| {
            for (cell, width) in cells.iter().zip(widths) {
                let _ = write!(self.text, "| {cell:<width$} ");
            }
            self.text.push_str("|\n");
        };
        line(head);
        let rules = widths.map(|width| "-".repeat(width));
        line(std::array::from_fn(|column| rules[column].as_str()));
        for row in rows {
            line(std::array::from_fn(|column| row[column].as_str()));
        }
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }

    fn gap(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }
}

/// Foreign text inside a line: one line, and nothing in it is markup, a table's bar or a terminal's command.
pub(crate) fn inline(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut chars = text.trim().chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' | '|' | '`' | '*' | '[' => {
                safe.push('\\');
                safe.push(char);
            }
            // Only what can begin a tag: `<= 10s` stays readable in the source.
            '<' if chars.peek().is_some_and(|next| next.is_ascii_alphabetic() || "/!?".contains(*next)) => {
                safe.push_str("\\<");
            }
            char if char.is_control() => safe.push(' '),
            char => safe.push(char),
        }
    }
    safe
}

/// Foreign text as code: a step's name, a file.
pub(crate) fn code(text: &str) -> String {
    let safe: String = text
        .chars()
        .map(|char| match char {
            '`' | '|' => '\'',
            char if char.is_control() => ' ',
            char => char,
        })
        .collect();
    format!("`{safe}`")
}

/// `1,234`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 row`, `2 rows`.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_no_markup() {
        assert_eq!(inline("a|b\n<script>`x`"), "a\\|b \\<script>\\`x\\`");
        assert_eq!(inline("lag <= 10s"), "lag <= 10s");
        assert_eq!(code("a`b|c\x1b[2J"), "`a'b'c [2J`");
    }

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!(count(7), "7");
        assert_eq!(count(1_234), "1,234");
        assert_eq!(count(1_234_567), "1,234,567");
    }
}
