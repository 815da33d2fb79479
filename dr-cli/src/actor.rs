//! Who is at the keyboard.

use dr_core::event::Actor;

/// The person and the machine, as the system tells them.
pub(crate) fn here() -> Actor {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let name = variable("SUDO_USER").or_else(|| variable("USER")).or_else(|| variable("LOGNAME"));
    let name = name.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Actor { from: format!("{name}@{node} (pid {})", std::process::id()), name }
}
