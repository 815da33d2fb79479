//! For backend authors: strict twins and conformance suites.
