//! What a run will need of the servers, proven from this seat without changing anything.

use dr_core::resource::{Cx, Proof, Proves, Wanted};
use dr_core::{Side, async_trait};
use futures_util::future::join_all;

use crate::node::Node;
use crate::store::{Servers, Store};

/// A right, and the question whose answer says whether we have it.
const RIGHTS: &[(&str, &[&str], &str)] = &[
    (
        "see replication and settings (pg_monitor)",
        &["check-roles", "observe", "promote"],
        "pg_has_role(current_user, 'pg_monitor', 'usage')",
    ),
    (
        "read timeline histories (pg_read_file)",
        &["check-roles", "observe", "promote"],
        "has_function_privilege('pg_read_file(text, bigint, bigint, boolean)', 'execute')",
    ),
    (
        "promote (pg_promote)",
        &["promote"],
        "has_function_privilege('pg_promote(boolean, integer)', 'execute')",
    ),
    (
        "pause and resume replay",
        &["pause", "unpause"],
        "has_function_privilege('pg_wal_replay_pause()', 'execute') and has_function_privilege('pg_wal_replay_resume()', 'execute')",
    ),
    (
        "serve pg_rewind",
        &["follow"],
        "has_function_privilege('pg_read_binary_file(text, bigint, bigint, boolean)', 'execute') and has_function_privilege('pg_ls_dir(text, boolean, boolean)', 'execute')",
    ),
];

#[async_trait]
impl Proves for Store {
    async fn prove(&self, cx: &Cx, wanted: &[Wanted], gone: Option<&Side>) -> Vec<Proof> {
        let sides = self.sides.values().filter(|servers| Some(&servers.side) != gone);
        let nodes = sides.flat_map(|servers| servers.nodes.iter().map(move |node| (servers, node)));
        join_all(nodes.map(|(servers, node)| prove(cx, servers, node, wanted)))
            .await
            .into_iter()
            .flatten()
            .collect()
    }
}

async fn prove(cx: &Cx, servers: &Servers, node: &Node, wanted: &[Wanted]) -> Vec<Proof> {
    let here = format!("{} ({})", node.name, servers.side);
    let concerns = |verbs: &[&str]| {
        wanted.iter().any(|one| {
            verbs.contains(&one.verb.as_str()) && one.side.as_ref().is_none_or(|side| *side == servers.side)
        })
    };
    let login = format!("log in to {here} as {}", node.admin.user);
    let mut proofs = Vec::new();
    match node.row("select 1 as one", cx.deadline).await {
        Ok(_) => proofs.push(Proof::proven(login, "it answers")),
        Err(trouble) => {
            proofs.push(Proof::missing(login, node.failed(trouble).chain()));
            return proofs;
        }
    }
    for (what, verbs, question) in RIGHTS.iter().filter(|(_, verbs, _)| concerns(verbs)) {
        let what = format!("{what} on {here}");
        let asked = node.row(&format!("select ({question}) as held"), cx.deadline).await;
        proofs.push(match asked.map(|row| row.flag("held")) {
            Ok(Some(true)) => Proof::proven(what, "granted"),
            Ok(Some(false)) => {
                Proof::missing(what, format!("{} has no such right: {}", node.admin.user, grant(verbs)))
            }
            Ok(None) => Proof::unknown(what, "the server gave no answer to the question"),
            Err(trouble) => Proof::unknown(what, node.failed(trouble).chain()),
        });
    }
    if let Some(application) = node.application.as_ref().filter(|_| concerns(&["promote", "fence"])) {
        let what = format!("log in to {here} as the application's role {}", application.user);
        proofs.push(match node.endpoint.open(application, cx.deadline).await {
            Ok(_) => Proof::proven(what, "a promotion can be seen to take its writes"),
            Err(trouble) => Proof::missing(what, node.failed(trouble).chain()),
        });
    }
    if let Some(control) =
        node.control.as_ref().filter(|_| concerns(&["fence", "unfence", "follow", "promote"]))
    {
        let what = format!("run commands beside {here}'s data directory");
        proofs.push(match control.files(cx.deadline).await {
            Ok(_) => Proof::proven(what, "its control file can be read"),
            Err(trouble) => Proof::missing(what, node.failed(trouble).chain()),
        });
    }
    proofs
}

/// What a superuser grants for these verbs.
fn grant(verbs: &[&str]) -> &'static str {
    match verbs {
        ["promote"] => "grant execute on function pg_promote(boolean, integer) to it",
        ["follow"] => "grant it execute on pg_ls_dir, pg_stat_file and pg_read_binary_file",
        ["pause", ..] => "grant it execute on pg_wal_replay_pause() and pg_wal_replay_resume()",
        _ => "grant pg_monitor to it, and execute on pg_read_file(text, bigint, bigint, boolean)",
    }
}
