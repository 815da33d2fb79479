//! From which bucket, and as of which moment.

use dr_core::resource::{Point, Restore};
use dr_core::{Error, Result, Side, Timestamp};

use crate::s3::buckets::{Buckets, Place};

/// What a call means.
#[derive(Debug, Clone, Copy)]
pub(super) struct From<'a> {
    pub(super) place: Place<'a>,
    pub(super) moment: Timestamp,
}

/// Reads a point: a moment is the side's own bucket as it was; `us-west-2` is that side's bucket as it is now, and
/// `us-west-2@2026-11-21T02:00:00Z` as it was then.
pub(super) fn read<'a>(buckets: &'a Buckets, call: &Restore, now: Timestamp) -> Result<From<'a>> {
    let own = call.side.side()?;
    let moment = |text: &str| {
        text.parse::<Timestamp>().map_err(|_| {
            Error::invalid(format!("`{text}` is no moment: write us-west-2@2026-11-21T02:00:00Z"))
        })
    };
    let (side, moment) = match &call.point {
        Point::Latest => {
            return Err(Error::invalid(
                "the newest versions are those that are there: name a moment, or the side whose objects are meant",
            ));
        }
        Point::At(moment) => (own.clone(), *moment),
        Point::Copy(text) => match text.split_once('@') {
            Some((side, text)) => (Side::new(side), moment(text)?),
            None if text.as_str() == own.as_str() => {
                return Err(Error::invalid(format!("`{text}` as it is now is what is there: name a moment")));
            }
            None => (Side::new(text), now),
        },
    };
    if moment > now {
        return Err(Error::invalid(format!("{moment} has not come yet")));
    }
    Ok(From { place: buckets.place(&side)?, moment })
}
