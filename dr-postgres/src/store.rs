//! The sides of one store, connected lazily: every verb of this backend is an effect of this one value.

use std::collections::BTreeMap;

use dr_core::resource::Connect;
use dr_core::{Error, Result, Side};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::config::{Config, SideConfig};
use crate::control::Control;
use crate::error::Trouble;
use crate::node::Node;
use crate::session::{Endpoint, Login, Row};
use crate::tls::Tls;

/// Our own sessions never wait for a synchronous standby that is gone.
const ADMIN: &str = "-c synchronous_commit=local -c statement_timeout=0 -c lock_timeout=10s -c idle_in_transaction_session_timeout=0";

/// A PostgreSQL store.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) config: Config,
    pub(crate) sides: BTreeMap<Side, Servers>,
}

/// The servers of one side.
#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) side: Side,
    pub(crate) config: SideConfig,
    pub(crate) nodes: Vec<Node>,
}

impl Store {
    /// Fetches the secrets; opens nothing.
    pub(crate) async fn new(config: &Config, connect: &Connect<'_>) -> Result<Self> {
        let tls = Tls::new(config.tls)?;
        let application = match &config.application {
            None => None,
            Some(application) => Some((
                application.user.clone(),
                match &application.password {
                    Some(reference) => Some(connect.secret(reference).await?),
                    None => None,
                },
            )),
        };
        let mut sides = BTreeMap::new();
        for (side, of) in &config.sides {
            let password = match &of.password {
                Some(reference) => Some(connect.secret(reference).await?),
                None => None,
            };
            let login = |user: &str, password, options| Login {
                user: user.to_owned(),
                password,
                database: of.database.clone(),
                options,
            };
            let nodes = of
                .nodes
                .iter()
                .map(|node| Node {
                    side: side.clone(),
                    name: node.name(),
                    endpoint: Endpoint {
                        host: node.host.clone(),
                        port: node.port,
                        tls: tls.clone(),
                        connect_timeout: config.connect_timeout,
                    },
                    admin: login(&of.user, password.clone(), ADMIN),
                    application: application
                        .as_ref()
                        .map(|(user, password)| login(user, password.clone(), "")),
                    control: node.control.as_ref().map(Control::new),
                    kept: None.into(),
                })
                .collect();
            sides.insert(side.clone(), Servers { side: side.clone(), config: of.clone(), nodes });
        }
        Ok(Self { config: config.clone(), sides })
    }

    /// A side by its name.
    pub(crate) fn side(&self, side: &Side) -> Result<&Servers> {
        side.of(&self.sides)
    }

    /// Every node of every side.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.sides.values().flat_map(|side| &side.nodes)
    }
}

impl Servers {
    /// Asks every node at once.
    pub(crate) async fn ask_all(
        &self,
        sql: &str,
        deadline: Instant,
    ) -> Vec<(&Node, Result<Vec<Row>, Trouble>)> {
        join_all(self.nodes.iter().map(|node| async move { (node, node.rows(sql, deadline).await) })).await
    }

    /// The one node that is not in recovery. `Ok(None)`: every node answered, and none is.
    pub(crate) async fn primary(&self, deadline: Instant) -> Result<Option<&Node>> {
        let mut primaries = Vec::new();
        let mut trouble = None;
        for (node, answer) in self.ask_all("select pg_is_in_recovery() as recovering", deadline).await {
            match answer {
                Ok(rows) => match rows.last().and_then(|row| row.flag("recovering")) {
                    Some(true) => {}
                    Some(false) => primaries.push(node),
                    None => {
                        trouble = Some(node.failed(Trouble::Nonsense("no answer to a question".to_owned())))
                    }
                },
                Err(error) => trouble = Some(node.failed(error)),
            }
        }
        match (primaries.as_slice(), trouble) {
            ([node], _) => Ok(Some(*node)),
            ([], None) => Ok(None),
            ([], Some(error)) => Err(error),
            (several, _) => {
                let names: Vec<&str> = several.iter().map(|node| node.name.as_str()).collect();
                Err(Error::new(
                    dr_core::ErrorKind::Conflict,
                    format!("several primaries: {}", names.join(", ")),
                )
                .on(self.side.to_string()))
            }
        }
    }

    /// Whether every node's server can be controlled.
    pub(crate) fn is_controlled(&self) -> bool {
        self.nodes.iter().all(|node| node.control.is_some())
    }

    /// Refuses where a local manager could undo what we do.
    pub(crate) fn unmanaged(&self) -> Result<()> {
        if self.config.manager == "none" {
            return Ok(());
        }
        Err(Error::refused(format!(
            "`{}` manages this side and could promote one of its nodes by itself: pause it there (Patroni: `patronictl \
             pause --wait`), then set `manager: none`",
            self.config.manager
        ))
        .on(self.side.to_string()))
    }
}
