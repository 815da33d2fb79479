//! The write ledger of a model.

use async_trait::async_trait;

use super::fault::Fault;
use super::node::What;
use super::store::ModelStore;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Side;
use crate::resource::{Cx, Ledger, LedgerRow, Survivors, Written};

impl ModelStore {
    /// Opens or removes a book on whichever side takes writes.
    async fn turn(&self, cx: &Cx, book: &str, open: bool) -> Result<()> {
        let patience = self.world.with(|world| world.pace.look);
        cx.bound("ledger", async {
            tokio::time::sleep(patience).await;
            Ok(())
        })
        .await?;
        self.world.with(|world| {
            let state = world.stores.get(&self.name);
            let writer = state.and_then(|state| state.nodes.values().find(|node| node.is_writable()));
            if writer.is_some_and(|node| node.has_book(book)) == open && writer.is_some() {
                return Ok(());
            }
            let what = if open { What::Opened(book.to_owned()) } else { What::Closed(book.to_owned()) };
            world.requests += 1;
            if world.append(&self.name, None, what) {
                return Ok(());
            }
            Err(Error::new(ErrorKind::Unreachable, "nobody takes writes").not_happened())
        })
    }

    fn try_write(&self, side: Option<&Side>, book: &str, row: LedgerRow) -> Written {
        self.world.with(|world| {
            let Some(state) = world.stores.get(&self.name) else { return Written::Unknown };
            let there = |name: &Side| side.is_none_or(|side| side == name);
            let reached: Vec<_> = state
                .nodes
                .iter()
                .filter(|(name, node)| {
                    there(name) && node.is_up() && matches!(world.fault(&self.name, name), Ok(None))
                })
                .map(|(_, node)| node)
                .collect();
            if reached.is_empty() {
                return Written::Unknown;
            }
            if !reached.iter().any(|node| node.is_writable() && node.has_book(book)) {
                return Written::Refused;
            }
            match world.write(&self.name, side, book, row) {
                true => Written::Acked,
                false => Written::Refused,
            }
        })
    }

    async fn patiently(&self, cx: &Cx, side: Option<&Side>) {
        let wait = self.world.with(|world| {
            let faults = |side| world.fault(&self.name, side).ok().flatten();
            match side.and_then(faults) {
                Some(Fault::BlackHole | Fault::Hung) => world.pace.patience,
                Some(Fault::Closed | Fault::Denied) | None => world.pace.look,
            }
        });
        tokio::time::sleep(wait.min(cx.left().mul_f64(0.9))).await;
    }
}

#[async_trait]
impl Ledger for ModelStore {
    async fn open(&self, cx: &Cx, book: &str) -> Result<()> {
        self.turn(cx, book, true).await
    }

    async fn write(&self, cx: &Cx, book: &str, row: LedgerRow) -> Written {
        self.patiently(cx, None).await;
        self.try_write(None, book, row)
    }

    async fn write_to(&self, cx: &Cx, side: &Side, book: &str, row: LedgerRow) -> Written {
        self.patiently(cx, Some(side)).await;
        self.try_write(Some(side), book, row)
    }

    async fn survivors(
        &self,
        cx: &Cx,
        side: &Side,
        book: &str,
        first: LedgerRow,
        last: LedgerRow,
    ) -> Result<Survivors> {
        self.world.reach(cx, &self.name, side).await?;
        self.world.with(|world| {
            let node = world.node(&self.name, side)?;
            if !node.is_up() {
                return Err(Error::new(ErrorKind::NotReady, format!("{side} is down")));
            }
            let rows = node.rows(book).into_iter().filter(|row| (first..=last).contains(row)).collect();
            Ok(Survivors { side: side.clone(), rows })
        })
    }

    async fn close(&self, cx: &Cx, book: &str) -> Result<()> {
        self.turn(cx, book, false).await
    }
}
