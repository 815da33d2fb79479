//! The question before a run that changes the world: the plan's name is typed, not `y`.

use std::io::{BufRead, IsTerminal, Write};

use crate::problem::{Outcome, Problem};

/// Asks for `name` on a terminal. Without one there is no prompt: the answer is no, with what to say instead.
pub(crate) fn by_name(name: &str, yes: bool) -> Outcome<()> {
    if yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Problem::refused("this changes the world, and there is no terminal to ask on")
            .help("say --yes if nobody needs to be asked"));
    }
    anstream::eprint!("Type the plan's name ({name}) to go on: ");
    let _ = std::io::stderr().flush();
    let mut typed = String::new();
    stdin
        .lock()
        .read_line(&mut typed)
        .map_err(|error| Problem::refused(format!("the terminal cannot be read: {error}")))?;
    if typed.trim() == name {
        Ok(())
    } else {
        Err(Problem::refused(format!("`{}` is not the plan's name: nothing was touched", typed.trim())))
    }
}
