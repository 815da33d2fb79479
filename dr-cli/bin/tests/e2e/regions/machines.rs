//! What machines read: every line is JSON, and the ways to tell the end agree.
