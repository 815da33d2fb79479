//! The verb `restore`: what was current below a prefix at a moment becomes current again, by new versions on top.
//!
//! Nothing is ever removed: what is there now stays as an earlier version, what did not exist then is covered by a delete
//! marker. Before the first change a list of all of them is written beside them; it is what a repeat goes by and what
//! undo puts back.

mod carry;
mod changes;
mod effect;
mod list;
mod point;
