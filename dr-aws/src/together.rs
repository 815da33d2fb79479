//! Several things at once, and what their errors mean together.

use dr_core::resource::{Proof, Wanted};
use dr_core::{Error, Happened, Result, Retry};
use futures_util::future::join_all;

/// Does all of it side by side, and waits for all of it: what one of them fails of does not cut the others short. An
/// error says that nothing happened only if none of them may have done anything.
///
/// # Errors
/// The first one's, in their order, with the number of the others.
pub(crate) async fn all<T, F: Future<Output = Result<T>>>(work: Vec<F>) -> Result<Vec<T>> {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for result in join_all(work).await {
        match result {
            Ok(value) => done.push(value),
            Err(error) => failed.push(error),
        }
    }
    let acted = !done.is_empty() || failed.iter().any(|error| error.happened() == Happened::Maybe);
    let more = failed.len().saturating_sub(1);
    match failed.into_iter().next() {
        None => Ok(done),
        Some(error) => {
            let error = if more > 0 { error.with("others that failed", more.to_string()) } else { error };
            Err(if acted { in_doubt(error) } else { error })
        }
    }
}

/// Does all of it side by side, where nothing can fail.
pub(crate) async fn each<T, F: Future<Output = T>>(work: Vec<F>) -> Vec<T> {
    join_all(work).await
}

/// The proofs of verbs that a kind has not: none can be had.
pub(crate) fn unoffered(wanted: &[Wanted], offered: &[&str]) -> Vec<Proof> {
    let others =
        wanted.iter().filter(|wanted| wanted.verb != "observe" && !offered.contains(&wanted.verb.as_str()));
    let proof = |wanted: &Wanted| Proof::missing(format!("`{}`", wanted.verb), "this kind has no such verb");
    others.map(proof).collect()
}

/// The error of a part of something that has acted elsewhere: it may have happened.
pub(crate) fn in_doubt(error: Error) -> Error {
    if error.happened() == Happened::Maybe {
        return error;
    }
    let doubtful = Error::new(error.kind(), error.chain());
    match error.retry() {
        Retry::Transient { after } => doubtful.transient(after),
        Retry::Permanent => doubtful.permanent(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dr_core::ErrorKind;
    use std::future::ready;

    #[tokio::test]
    async fn one_that_acted_puts_the_whole_in_doubt() {
        let refused = || Error::refused("no");
        let happened = |results: Vec<Result<u8>>| async {
            let error = all(results.into_iter().map(ready).collect()).await.unwrap_err();
            (error.kind(), error.happened())
        };
        assert_eq!(happened(vec![Err(refused()), Err(refused())]).await, (ErrorKind::Refused, Happened::No));
        assert_eq!(happened(vec![Ok(1), Err(refused())]).await, (ErrorKind::Refused, Happened::Maybe));
    }
}
