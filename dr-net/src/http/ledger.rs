//! Numbered rows through a service's own write path.

use std::sync::Arc;

use dr_core::resource::{Cx, Ledger, LedgerRow, SeatKind, Survivors, Written};
use dr_core::{Error, Result, Side, async_trait};
use tokio_rustls::TlsConnector;

use super::call::Template;
use super::config::HttpPlan;
use super::connection::Reply;
use super::seat::Caller;

/// The header by which a service says that a row it refuses is not there.
const NOT_WRITTEN: &str = "x-not-written";

/// Writes rows as callers do: the name is looked up as its TTL allows, and each row has a connection of its own.
#[derive(Debug)]
pub(super) struct HttpLedger {
    template: Template,
    plan: Arc<HttpPlan>,
    caller: Caller,
}

impl HttpLedger {
    pub(super) fn new(template: Template, plan: Arc<HttpPlan>, tls: Option<TlsConnector>) -> Self {
        Self { template, caller: Caller::new(Arc::clone(&plan), tls, SeatKind::Caching), plan }
    }
}

#[async_trait]
impl Ledger for HttpLedger {
    /// The service owns its books; there is nothing to make ready.
    async fn open(&self, _cx: &Cx, book: &str) -> Result<()> {
        self.template
            .fill(book, 1)
            .map(|_| ())
            .map_err(|flaw| Error::invalid(flaw.message).during("ledger").with("book", book))
    }

    async fn write(&self, cx: &Cx, book: &str, row: LedgerRow) -> Written {
        let Ok(call) = self.template.fill(book, row) else { return Written::Unknown };
        match self.caller.call(&call, false, cx.left().min(self.plan.timeout)).await {
            Ok(reply) => judge(&reply),
            Err(_) => Written::Unknown,
        }
    }

    /// Callers cannot choose a side, so neither can this ledger.
    async fn write_to(&self, _cx: &Cx, _side: &Side, _book: &str, _row: LedgerRow) -> Written {
        Written::Unknown
    }

    async fn survivors(
        &self,
        _cx: &Cx,
        _side: &Side,
        _book: &str,
        _first: LedgerRow,
        _last: LedgerRow,
    ) -> Result<Survivors> {
        Err(Error::unsupported(
            "which rows survived is known by the store behind the service, not by the service",
        ))
    }

    /// The rows belong to the store, whose own ledger removes them.
    async fn close(&self, _cx: &Cx, _book: &str) -> Result<()> {
        Ok(())
    }
}

/// Only a plain yes is an acknowledgement, and only a refusal that says so is one: a proxy's error page is neither.
fn judge(reply: &Reply) -> Written {
    let says_not = reply.headers.get(NOT_WRITTEN).is_some_and(|value| value == "1");
    let refusal = reply.status.is_client_error() || reply.status.as_u16() == 503;
    match (reply.status.is_success(), refusal && says_not) {
        (true, _) => Written::Acked,
        (false, true) => Written::Refused,
        (false, false) => Written::Unknown,
    }
}
