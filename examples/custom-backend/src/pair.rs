//! A pair, connected: two servers and who we are to them.

use std::collections::BTreeMap;

use dr_core::resource::{Connect, Cx, SecretRef};
use dr_core::{Error, Result, Side};
use tokio::time::Instant;

use crate::config::Config;
use crate::error::Trouble;
use crate::look::Look;
use crate::wire::{Command, Login, Session};

#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) sides: BTreeMap<Side, Server>,
    /// Our own account.
    pub(crate) ours: String,
    /// Callers' account.
    pub(crate) theirs: String,
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) side: Side,
    pub(crate) address: String,
    /// As the other server reaches it.
    pub(crate) replicates_at: String,
    admin: Login,
    application: Login,
    patience: std::time::Duration,
}

impl Pair {
    /// Opens nothing: secrets are fetched, and that is all that connecting is.
    pub(crate) async fn connect(config: &Config, connect: &Connect<'_>) -> Result<Self> {
        let admin = login(connect, &config.user, config.password.as_ref()).await?;
        let application = &config.application;
        let application = login(connect, &application.user, application.password.as_ref()).await?;
        let server = |(side, one): (&Side, &crate::config::SideConfig)| {
            let server = Server {
                side: side.clone(),
                address: one.address.clone(),
                replicates_at: one.replicates_at.clone().unwrap_or_else(|| one.address.clone()),
                admin: admin.clone(),
                application: application.clone(),
                patience: config.patience,
            };
            (side.clone(), server)
        };
        Ok(Self {
            sides: config.sides.iter().map(server).collect(),
            ours: config.user.clone(),
            theirs: config.application.user.clone(),
        })
    }

    pub(crate) fn server(&self, side: &Side) -> Result<&Server> {
        side.of(&self.sides)
    }

    pub(crate) fn other(&self, side: &Side) -> Result<&Server> {
        let other = self.sides.values().find(|server| server.side != *side);
        other.ok_or_else(|| Error::invalid(format!("there is no side but `{side}`")))
    }
}

async fn login(connect: &Connect<'_>, user: &str, password: Option<&SecretRef>) -> Result<Login> {
    let password = match password {
        Some(reference) => Some(connect.secret(reference).await?),
        None => None,
    };
    Ok(Login { user: user.to_owned(), password })
}

impl Server {
    /// A session of ours. It bears the step's name, so that a later attempt knows an earlier one's.
    pub(crate) async fn admin(&self, cx: &Cx) -> Result<Session, Trouble> {
        Session::open(&self.address, &self.admin, &session_name(cx), cx.deadline, self.patience).await
    }

    /// A session as callers have it.
    pub(crate) async fn caller(&self, deadline: Instant) -> Result<Session, Trouble> {
        Session::open(&self.address, &self.application, "", deadline, self.patience).await
    }

    pub(crate) async fn look(&self, cx: &Cx) -> Result<Look, Trouble> {
        Look::at(&mut self.admin(cx).await?).await
    }

    /// A look before anything was done.
    pub(crate) async fn first_look(&self, cx: &Cx) -> Result<Look> {
        self.look(cx).await.map_err(|trouble| self.failed(trouble).not_happened())
    }

    /// Trouble with it. It may have acted, unless somebody knows better.
    pub(crate) fn failed(&self, trouble: Trouble) -> Error {
        Error::from(trouble).on(self.address.clone())
    }

    /// A session, and the certainty that nothing arrives any more that an earlier attempt of this step has sent: what its
    /// sessions sent and the server has not read yet dies with them.
    pub(crate) async fn alone(&self, cx: &Cx) -> Result<Session, Trouble> {
        let mut session = self.admin(cx).await?;
        let look = Look::at(&mut session).await?;
        let us = session.ask("CLIENT ID").await?;
        for client in look.clients.iter().filter(|client| client.name == session_name(cx)) {
            if us != crate::wire::Reply::Number(client.id.cast_signed()) {
                end(&mut session, client.id).await?;
            }
        }
        Ok(session)
    }

    /// Tries that its file can be written, before anything is changed that has to be in it.
    pub(crate) async fn can_be_written(&self, session: &mut Session, keep: Command) -> Result<()> {
        match session.ask_all(&[keep]).await {
            Ok(_) => Ok(()),
            Err(trouble @ (Trouble::Silent | Trouble::Hung | Trouble::Closed | Trouble::Broken)) => {
                Err(self.failed(trouble).not_happened())
            }
            Err(trouble) => Err(Error::refused("its file cannot be written, and a restart would undo it")
                .because(Error::from(trouble))
                .on(self.address.clone())),
        }
    }

    /// Refuses where something could promote by itself, or undo what we do.
    pub(crate) fn unmanaged(&self, look: &Look) -> Result<()> {
        match look.manager() {
            "none" => Ok(()),
            manager => Err(Error::refused(format!(
                "`{manager}` watches it and promotes by itself: take it away first (SENTINEL REMOVE)"
            ))
            .on(self.address.clone())),
        }
    }
}

/// Ends a session. One that has ended by itself is what was wanted.
pub(crate) async fn end(session: &mut Session, id: u64) -> Result<(), Trouble> {
    match session.ask(&format!("CLIENT KILL ID {id}")).await {
        Ok(_) => Ok(()),
        Err(Trouble::Said(said)) if said.contains("No such client") => Ok(()),
        Err(trouble) => Err(trouble),
    }
}

/// A server takes no spaces in a session's name.
fn session_name(cx: &Cx) -> String {
    let name = format!("dr/{}/{}", cx.run, cx.step);
    name.chars().map(|one| if one.is_ascii_graphic() { one } else { '_' }).collect()
}
