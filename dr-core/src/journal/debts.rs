//! What recovered services still lack, across runs.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::claims::{json, parse};
use super::key;
use super::slots::Slots;
use crate::env::Clock;
use crate::error::Result;
use crate::event::Debt;
use crate::ids::RunId;
use crate::time::Timestamp;

const OPEN: &str = "debts/";
const PAID: &str = "debts-paid/";

/// A debt and the run that left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenDebt {
    /// What is owed.
    pub debt: Debt,
    /// Which run left it.
    pub run: RunId,
    /// Since when.
    pub since: Timestamp,
}

impl fmt::Display for OpenDebt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Debt { kind, resource, side, why } = &self.debt;
        write!(f, "{kind} of {resource} on {side}: {why} (since run {})", self.run)
    }
}

#[derive(Serialize)]
struct Payment<'a> {
    debt: &'a OpenDebt,
    by: &'a RunId,
    at: Timestamp,
}

/// The debts of a state store. Nothing is ever removed: a debt is open until its payment is there.
#[derive(Debug, Clone)]
pub struct Debts {
    slots: Arc<dyn Slots>,
    clock: Arc<dyn Clock>,
}

impl Debts {
    /// Those in these slots.
    pub fn new(slots: Arc<dyn Slots>, clock: Arc<dyn Clock>) -> Self {
        Self { slots, clock }
    }

    /// Opens a debt that `run` leaves. Opening it again changes nothing.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn open(&self, run: &RunId, debt: &Debt) -> Result<()> {
        let open = OpenDebt { debt: debt.clone(), run: run.clone(), since: self.clock.now() };
        self.slots.create(&format!("{OPEN}{}", name(&open)), json(&open)?).await.map(drop)
    }

    /// Notes that the run `by` paid it. Paying it again changes nothing.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn pay(&self, by: &RunId, debt: &OpenDebt) -> Result<()> {
        let payment = Payment { debt, by, at: self.clock.now() };
        self.slots.create(&format!("{PAID}{}", name(debt)), json(&payment)?).await.map(drop)
    }

    /// The open debts, oldest first.
    ///
    /// # Errors
    /// If the store cannot be asked, or holds something that is no debt: it may be one.
    pub async fn list(&self) -> Result<Vec<OpenDebt>> {
        let paid: BTreeSet<String> =
            self.slots.list(PAID).await?.iter().map(|key| key.replacen(PAID, OPEN, 1)).collect();
        let mut debts: Vec<OpenDebt> = Vec::new();
        for key in self.slots.list(OPEN).await?.into_iter().filter(|key| !paid.contains(key)) {
            if let Some((bytes, _)) = self.slots.read(&key).await? {
                debts.push(parse(&key, &bytes)?);
            }
        }
        debts.sort_by_key(|debt| debt.since);
        Ok(debts)
    }
}

/// What is longer is named by its digest: a file's name ends at 255 bytes.
const LONGEST: usize = 240;

fn name(open: &OpenDebt) -> String {
    let Debt { kind, resource, side, .. } = &open.debt;
    let parts = [open.run.as_str(), &kind.to_string(), resource.as_str(), side.as_str()];
    let whole = parts.map(key::segment).join("_-");
    format!("{}.json", if whole.len() <= LONGEST { whole } else { key::segment(&whole) })
}
