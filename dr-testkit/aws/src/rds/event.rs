//! What RDS tells of its instances.

use std::time::Duration;

use dr_core::Timestamp;

use super::place;
use crate::place::Place;
use crate::wire::{Answer, ApiError, Node, Request};
use crate::world::World;

/// An event: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html>.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    at: Timestamp,
    source: String,
    kind: &'static str,
    arn: String,
    category: &'static str,
    message: String,
}

impl World {
    /// Notes an event of an instance.
    pub(super) fn tell(&mut self, place: &Place, id: &str, category: &'static str, message: &str) {
        self.tell_of(place, ("db-instance", "db"), id, category, message);
    }

    /// Notes an event of something that is called `kind` in events and `arn_kind` in ARNs.
    pub(super) fn tell_of(
        &mut self,
        place: &Place,
        (kind, arn_kind): (&'static str, &str),
        id: &str,
        category: &'static str,
        message: &str,
    ) {
        let at = self.clock.wall();
        let arn = place.arn("rds", &format!("{arn_kind}:{id}"));
        self.rds(place).events.push(Event {
            at,
            source: id.to_owned(),
            kind,
            arn,
            category,
            message: message.to_owned(),
        });
    }
}

/// The last hour's, unless told otherwise.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeEvents.html>
pub(super) fn describe(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let kind = input.text("SourceType").map(str::to_owned);
    let source = input.text("SourceIdentifier").map(str::to_lowercase);
    if source.is_some() && kind.is_none() {
        return Err(ApiError::combination("SourceIdentifier may not be specified without SourceType"));
    }
    let now = world.clock.wall();
    let minutes = u64::try_from(input.int("Duration")?.unwrap_or(60)).unwrap_or(60);
    let end = input.time("EndTime")?.unwrap_or(now);
    let start = input.time("StartTime")?.unwrap_or_else(|| end.minus(Duration::from_secs(60 * minutes)));
    let wanted = input.texts("EventCategories");
    let events = world.rds(&place(request)).events.iter().filter(|event| {
        (start..=end).contains(&event.at)
            && kind.as_deref().is_none_or(|kind| kind == event.kind)
            && source.as_deref().is_none_or(|source| source == event.source)
            && wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|category| category == event.category))
    });
    let events = events.map(|event| {
        Node::map()
            .put("SourceIdentifier", &event.source)
            .put("SourceType", event.kind)
            .put("Message", &event.message)
            .put("EventCategories", Node::list("EventCategory", [event.category]))
            .put("Date", event.at)
            .put("SourceArn", &event.arn)
    });
    Ok(Answer::of(Node::map().put("Events", Node::list("Event", events))))
}
