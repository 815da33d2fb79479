//! A fence for a side whose servers cannot be controlled: nobody can log in, and nobody is left.
//!
//! Every database's connection limit becomes 0 and every login role but ours loses its login; what was there is kept in
//! a table, `public.dr_fence`, in the same transaction. Catalog changes replicate, and so does the table: a promotion
//! lifts the fence on the new primary from its own copy. No setting that a session can change is part of it.

use std::time::Duration;

use dr_core::resource::{Before, Cx, Diff, FenceHow, FenceProof, Fencing, Prepared};
use dr_core::{Error, ErrorKind, Result};
use tokio::time::{Instant, sleep};
use tokio_postgres::error::SqlState;

use crate::error::Trouble;
use crate::node::Node;
use crate::session::literal;
use crate::store::{Servers, Store};

const POLL: Duration = Duration::from_millis(10);

/// Whoever could still write: ordinary sessions and extensions' workers, in any database. A walsender with a database
/// runs SQL as they do; one without, which feeds a copy, cannot. Our own are left out.
const INSIDE: &str = "pid <> pg_backend_pid() and not (application_name = 'dr' and usename = current_user)
  and (backend_type = 'walsender' and datid is not null or backend_type not in ('walsender', 'walreceiver', 'checkpointer', 'background writer', 'walwriter', 'archiver',
    'startup', 'autovacuum launcher', 'autovacuum worker', 'logical replication launcher', 'stats collector', 'logger',
    'walsummarizer', 'slotsync worker', 'io worker'))";

const LIFT: &str = "do $$ declare r record; begin
  if to_regclass('public.dr_fence') is null then return; end if;
  for r in execute 'select kind, name, was from public.dr_fence' loop
    if r.kind = 'limit' and exists (select from pg_database where datname = r.name) then
      execute format('alter database %I connection limit %s', r.name, r.was::int);
    elsif r.kind = 'login' and exists (select from pg_roles where rolname = r.name) then
      execute format('alter role %I login', r.name);
    end if;
  end loop;
  execute 'delete from public.dr_fence';
end $$";

fn set(run: &str) -> String {
    let run = literal(run);
    format!(
        "create table if not exists public.dr_fence
           (run text not null, kind text not null, name text not null, was text not null, primary key (kind, name));
         revoke all on public.dr_fence from public;
         do $$ declare r record; begin
           for r in select datname, datconnlimit from pg_database where datallowconn loop
             insert into public.dr_fence values ({run}, 'limit', r.datname, r.datconnlimit) on conflict do nothing;
             execute format('alter database %I connection limit 0', r.datname);
           end loop;
           for r in select rolname from pg_roles
             where rolcanlogin and rolname <> current_user and (rolsuper or not rolreplication) loop
             insert into public.dr_fence values ({run}, 'login', r.rolname, 'yes') on conflict do nothing;
             execute format('alter role %I nologin', r.rolname);
           end loop;
         end $$"
    )
}

const STATE: &str = "select pg_is_in_recovery() as recovering,
  (select rolsuper from pg_roles where rolname = current_user) as super,
  to_regclass('public.dr_fence') is not null as known,
  (select count(*) from pg_prepared_xacts) as prepared,
  (select count(*) from pg_database where datallowconn and datconnlimit <> 0) as open_databases,
  (select count(*) from pg_roles where rolcanlogin and rolname <> current_user and (rolsuper or not rolreplication)) as open_roles";

struct State {
    prepared: u64,
    open: u64,
    superuser: bool,
    known: bool,
    inside: u64,
}

impl Store {
    pub(crate) async fn prepare_login_fence(&self, cx: &Cx, side: &Servers) -> Result<Prepared> {
        let node = self.fenceable(cx, side).await?;
        let state = read(node, cx.deadline).await.map_err(|trouble| node.failed(trouble))?;
        if state.is_closed() {
            return Ok(Prepared::already(Before::nothing()));
        }
        self.willing(node, &state)?;
        if let Err(trouble) = self.try_login(node, cx.deadline).await {
            return Err(Error::refused(
                "the application's role cannot log in from here before the fence: a trial after it would prove nothing",
            )
            .because(Error::from(trouble))
            .on(node.name.clone()));
        }
        let diff = Diff::one(
            node.name.clone(),
            format!("{} sessions", state.inside),
            "no login possible, none left",
        );
        Ok(Prepared::would(diff, Before::nothing()))
    }

    pub(crate) async fn apply_login_fence(&self, cx: &Cx, side: &Servers) -> Result<FenceProof> {
        let since = cx.now();
        let node = self.fenceable(cx, side).await?;
        let failed = |trouble| node.failed(trouble);
        let state = read(node, cx.deadline).await.map_err(failed)?;
        self.willing(node, &state)?;
        if state.open > 0 || !state.known {
            node.write(&set(cx.run.as_str()), cx.deadline).await.map_err(failed)?;
        }
        let end = format!("select pg_terminate_backend(pid) from pg_stat_activity where {INSIDE}");
        loop {
            node.rows(&end, cx.deadline).await.map_err(failed)?;
            let state = read(node, cx.deadline).await.map_err(failed)?;
            if state.prepared > 0 {
                return Err(prepared(node));
            }
            if state.is_closed() {
                break;
            }
            if cx.left() <= POLL {
                return Err(Error::new(ErrorKind::Timeout, format!("{} sessions do not end", state.inside))
                    .on(node.name.clone()));
            }
            sleep(POLL).await;
        }
        match self.login_fence_holds(cx, side).await? {
            Fencing::Confirmed(mut proof) => {
                proof.since = since;
                Ok(proof)
            }
            Fencing::Open { why } | Fencing::Unknown { why } => {
                Err(Error::new(ErrorKind::Refused, why).on(side.side.to_string()))
            }
            Fencing::Hung => {
                Err(Error::new(ErrorKind::Hung, "it does not answer a login trial").on(side.side.to_string()))
            }
            Fencing::Unreachable => {
                Err(Error::new(ErrorKind::Unreachable, "a node of it does not answer a login trial")
                    .on(side.side.to_string()))
            }
        }
    }

    pub(crate) async fn undo_login_fence(&self, cx: &Cx, side: &Servers) -> Result<()> {
        let node = self.fenceable(cx, side).await?;
        let others = format!(
            "select count(*) as others from public.dr_fence where run <> {}",
            literal(cx.run.as_str())
        );
        match node.row(&others, cx.deadline).await {
            Ok(row) if row.value::<u64>("others") == Some(0) => self.lift_login_fence(cx, side).await,
            Ok(_) => {
                Err(Error::new(ErrorKind::Conflict, "another run's fence stands there").on(node.name.clone()))
            }
            Err(Trouble::Said(code, _)) if code == SqlState::UNDEFINED_TABLE => Ok(()),
            Err(trouble) => Err(node.failed(trouble)),
        }
    }

    /// Gives everyone back what the fence took.
    pub(crate) async fn lift_login_fence(&self, cx: &Cx, side: &Servers) -> Result<()> {
        let node = self.fenceable(cx, side).await?;
        lift(node, cx.deadline).await.map_err(|trouble| node.failed(trouble))
    }

    pub(crate) async fn login_fence_holds(&self, cx: &Cx, side: &Servers) -> Result<Fencing> {
        let node = match side.primary(cx.deadline).await {
            Ok(Some(node)) => node,
            Ok(None) => {
                return Ok(Fencing::Open { why: "it is a standby, and has no fence of its own".to_owned() });
            }
            Err(error) => {
                return Ok(match error.kind() {
                    ErrorKind::Hung => Fencing::Hung,
                    ErrorKind::Unreachable => Fencing::Unreachable,
                    _ => Fencing::Unknown { why: error.chain() },
                });
            }
        };
        let state = match read(node, cx.deadline).await {
            Ok(state) => state,
            Err(trouble) => return Ok(Fencing::Unknown { why: node.failed(trouble).chain() }),
        };
        if !state.is_closed() {
            return Ok(Fencing::Open { why: state.why_open() });
        }
        for node in &side.nodes {
            match self.try_login(node, cx.deadline).await {
                Err(Trouble::Denied(code, _)) if is_shut(&code) => {}
                Ok(()) => {
                    return Ok(Fencing::Open {
                        why: format!("the application's role can log in at {}", node.name),
                    });
                }
                Err(Trouble::Hung(_)) => return Ok(Fencing::Hung),
                Err(Trouble::Silent(_) | Trouble::NoWay(_)) => return Ok(Fencing::Unreachable),
                Err(trouble) => {
                    return Ok(Fencing::Unknown {
                        why: format!("the login trial at {} proves nothing: {trouble}", node.name),
                    });
                }
            }
        }
        let proof = FenceProof::new(side.side.clone(), FenceHow::NoLogin, cx.now()).surviving(true, false);
        Ok(Fencing::Confirmed(proof))
    }

    /// The side's primary, where a fence by logins is possible at all.
    async fn fenceable<'s>(&self, cx: &Cx, side: &'s Servers) -> Result<&'s Node> {
        if self.config.application.as_ref().is_none_or(|application| application.user == side.config.user) {
            return Err(Error::refused(
                "there is no `control` for every node of this side, and a fence by logins needs `application`: a role \
                 other than ours, as which the login is tried",
            )
            .on(side.side.to_string()));
        }
        side.primary(cx.deadline).await?.ok_or_else(|| {
            Error::refused("it has no primary: a standby is fenced by its control only")
                .on(side.side.to_string())
        })
    }

    fn willing(&self, node: &Node, state: &State) -> Result<()> {
        if state.prepared > 0 {
            return Err(prepared(node).not_happened());
        }
        if !state.superuser {
            let message =
                "a fence by logins needs a superuser: no one else may close every database and role";
            return Err(Error::new(ErrorKind::Unauthorized, message).not_happened().on(node.name.clone()));
        }
        Ok(())
    }

    async fn try_login(&self, node: &Node, deadline: Instant) -> Result<(), Trouble> {
        match &node.application {
            Some(login) => node.endpoint.open(login, deadline).await.map(drop),
            None => Err(Trouble::Nonsense("there is no application role".to_owned())),
        }
    }
}

impl State {
    fn is_closed(&self) -> bool {
        self.known && self.prepared == 0 && self.open == 0 && self.inside == 0
    }

    fn why_open(&self) -> String {
        if self.prepared > 0 {
            format!("{} prepared transactions can still be committed", self.prepared)
        } else if self.open > 0 || !self.known {
            "logins are possible".to_owned()
        } else {
            format!("{} sessions are left", self.inside)
        }
    }
}

/// Lifts what replicated to a server, if anything did.
pub(crate) async fn lift(node: &Node, deadline: Instant) -> Result<(), Trouble> {
    node.write(LIFT, deadline).await
}

fn prepared(node: &Node) -> Error {
    Error::new(
        ErrorKind::Refused,
        "there are prepared transactions, which anybody who gets in could commit: finish them, or give `control`",
    )
    .on(node.name.clone())
}

/// Denied by the fence itself: no login, or no connection allowed. A wrong password proves nothing.
fn is_shut(code: &SqlState) -> bool {
    *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION || *code == SqlState::TOO_MANY_CONNECTIONS
}

/// Whether the fence stands at a primary: no plain session can write there. Where our role does not see everything, it is
/// not known to stand.
pub(crate) async fn stands(node: &Node, deadline: Instant) -> Result<bool, Trouble> {
    read(node, deadline).await.map(|state| state.superuser && state.is_closed())
}

async fn read(node: &Node, deadline: Instant) -> Result<State, Trouble> {
    let inside = format!("{STATE}, (select count(*) from pg_stat_activity where {INSIDE}) as inside");
    let row = node.row(&inside, deadline).await?;
    let count = |column: &str| {
        row.value::<u64>(column).ok_or_else(|| Trouble::Nonsense(format!("`{column}` could not be read")))
    };
    Ok(State {
        prepared: count("prepared")?,
        open: count("open_databases")? + count("open_roles")?,
        superuser: row.flag("super") == Some(true),
        known: row.flag("known") == Some(true),
        inside: count("inside")?,
    })
}
