//! Bad input: the place, the way out, the right exit code, and nothing touched.
