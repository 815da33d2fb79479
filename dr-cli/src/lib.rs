//! The command as a library: arguments in, events out.
