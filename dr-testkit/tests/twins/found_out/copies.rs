//! Copies and what is restored from them.

use std::sync::Arc;

use dr_core::resource::{BackedUp, Backup, Before, Copies, Cx, Effect, Observe, Prepared, Restore, Restored};
use dr_core::{Result, async_trait};
use dr_testkit::suite;

use super::{as_if, breaks, inner};
use crate::fixture::Twin;

/// Takes another copy at each try.
#[derive(Debug)]
struct Again(Arc<dyn Effect<Backup>>);

#[async_trait]
impl Effect<Backup> for Again {
    async fn prepare(&self, cx: &Cx, call: &Backup) -> Result<Prepared> {
        self.0.prepare(cx, call).await
    }

    async fn apply(&self, cx: &Cx, call: &Backup, was: &Prepared) -> Result<BackedUp> {
        let again = self.0.prepare(cx, call).await?;
        if !again.is_already() {
            return self.0.apply(cx, call, was).await;
        }
        let cx = as_if(cx, "again", "step/again");
        let was = self.0.prepare(&cx, call).await?;
        self.0.apply(&cx, call, &was).await
    }

    async fn undo(&self, cx: &Cx, call: &Backup, was: &Before) -> Result<()> {
        self.0.undo(cx, call, was).await
    }
}

#[tokio::test(start_paused = true)]
async fn copies_that_are_taken_twice() {
    let twin = Twin::of(|small| {
        let good = small.orders.resource();
        let wrong = Again(inner(&good));
        good.with::<Backup>(Arc::new(wrong))
    });
    breaks(&suite::copies(&twin).await, "a repeat of the same step takes no second copy");
}

/// Forgets the copy that it sent to the other side.
#[derive(Debug)]
struct Forgets(Arc<dyn Effect<Backup>>);

#[async_trait]
impl Effect<Backup> for Forgets {
    async fn prepare(&self, cx: &Cx, call: &Backup) -> Result<Prepared> {
        self.0.prepare(cx, call).await
    }

    async fn apply(&self, cx: &Cx, call: &Backup, was: &Prepared) -> Result<BackedUp> {
        self.0.apply(cx, call, was).await
    }

    async fn undo(&self, cx: &Cx, call: &Backup, was: &Before) -> Result<()> {
        self.0.undo(cx, &Backup { copy_to: None, ..call.clone() }, was).await
    }
}

#[tokio::test(start_paused = true)]
async fn copies_that_are_left_behind() {
    let twin = Twin::of(|small| {
        let good = small.orders.resource();
        let wrong = Forgets(inner(&good));
        good.with::<Backup>(Arc::new(wrong))
    });
    breaks(&suite::copies(&twin).await, "undo removes the copy on every side");
    breaks(&suite::backing_up(&twin).await, "undo puts back what was there");
}

/// Says that a side without known copies has none, and that a damaged copy is as good as any.
#[derive(Debug)]
struct Hopeful(Arc<dyn Observe<Copies>>);

#[async_trait]
impl Observe<Copies> for Hopeful {
    async fn observe(&self, cx: &Cx) -> Result<Copies> {
        let mut seen = self.0.observe(cx).await?;
        for copies in seen.sides.values_mut() {
            let copies = copies.get_or_insert_default();
            copies.iter_mut().for_each(|copy| copy.usable = true);
            copies.reverse();
        }
        Ok(seen)
    }
}

#[tokio::test(start_paused = true)]
async fn copies_that_are_better_than_they_are() {
    let twin = Twin::of(|small| {
        let good = small.orders.resource();
        let wrong = Hopeful(good.observer::<Copies>().unwrap());
        good.observing::<Copies>(Arc::new(wrong))
    });
    let report = suite::copies(&twin).await;
    breaks(&report, "a copy that cannot be restored counts for no age");
    breaks(&report, "unknown, never none");
    breaks(&report, "the newest copy comes first");
}

/// Takes whatever has that name for its own.
#[derive(Debug)]
struct Claims(Arc<dyn Effect<Restore>>);

#[async_trait]
impl Effect<Restore> for Claims {
    async fn prepare(&self, cx: &Cx, call: &Restore) -> Result<Prepared> {
        self.0.prepare(&as_if(cx, "mine", "step/mine"), call).await
    }

    async fn apply(&self, cx: &Cx, call: &Restore, was: &Prepared) -> Result<Restored> {
        self.0.apply(&as_if(cx, "mine", "step/mine"), call, was).await
    }

    async fn undo(&self, cx: &Cx, call: &Restore, was: &Before) -> Result<()> {
        self.0.undo(cx, call, was).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_takes_what_is_there_for_its_own() {
    let twin = Twin::of(|small| {
        let good = small.orders.resource();
        let wrong = Claims(inner(&good));
        good.with::<Restore>(Arc::new(wrong))
    });
    breaks(&suite::restoring(&twin).await, "it never restores over what is there");
}

/// Takes the newest copy where the one that was named is missing.
#[derive(Debug)]
struct Newest(Arc<dyn Effect<Restore>>);

#[async_trait]
impl Effect<Restore> for Newest {
    async fn prepare(&self, cx: &Cx, call: &Restore) -> Result<Prepared> {
        let latest = Restore { point: dr_core::resource::Point::Latest, ..call.clone() };
        self.0.prepare(cx, &latest).await
    }

    async fn apply(&self, cx: &Cx, call: &Restore, was: &Prepared) -> Result<Restored> {
        let latest = Restore { point: dr_core::resource::Point::Latest, ..call.clone() };
        self.0.apply(cx, &latest, was).await
    }

    async fn undo(&self, cx: &Cx, call: &Restore, was: &Before) -> Result<()> {
        self.0.undo(cx, call, was).await
    }
}

/// P32: a restore whose contents are another copy's.
#[tokio::test(start_paused = true)]
async fn a_restore_of_another_copy_than_was_asked_for() {
    let twin = Twin::of(|small| {
        let good = small.orders.resource();
        let wrong = Newest(inner(&good));
        good.with::<Restore>(Arc::new(wrong))
    });
    let report = suite::restoring(&twin).await;
    breaks(&report, "a copy that is not there is not found");
    breaks(&report, "a moment before every copy is not found");
    breaks(&report, "a moment is the state as it was then");
    breaks(&report, "a copy's name is that copy");
}

/// Restores beside what is there, and leaves it there.
#[derive(Debug)]
struct Leaves(Arc<dyn Effect<Restore>>);

#[async_trait]
impl Effect<Restore> for Leaves {
    async fn prepare(&self, cx: &Cx, call: &Restore) -> Result<Prepared> {
        self.0.prepare(cx, call).await
    }

    async fn apply(&self, cx: &Cx, call: &Restore, was: &Prepared) -> Result<Restored> {
        self.0.apply(cx, call, was).await
    }

    async fn undo(&self, _cx: &Cx, _call: &Restore, _was: &Before) -> Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_restored_thing_that_stays() {
    let twin = Twin::of(|small| {
        let good = small.orders.resource();
        let wrong = Leaves(inner(&good));
        good.with::<Restore>(Arc::new(wrong))
    });
    breaks(&suite::restoring(&twin).await, "undo discards what was restored");
}
