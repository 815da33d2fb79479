//! The kinds whose services live in one region each (EKS, CloudWatch, S3), on the strict simulator, through the suites
//! that the models pass too, and through what the simulator breaks.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod alarm;
mod eks;
mod ground;
mod s3;
mod support;
