//! Saved plans: applied once, and only to the world that they were made for.
