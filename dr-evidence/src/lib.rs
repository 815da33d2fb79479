//! The evidence of a run: bundle, manifest, chain.
