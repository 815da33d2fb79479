//! What would hinder a promotion of a standby, or the service after it.

use std::collections::BTreeMap;

use dr_core::resource::Hazard;
use tokio::time::Instant;

use crate::error::Trouble;
use crate::lag;
use crate::node::Node;
use crate::observe::{Look, View};
use crate::store::Store;

const READ: &str = "select s.name as name, s.setting as setting from pg_settings s where s.name in (
    'synchronous_standby_names', 'restore_command', 'archive_command', 'archive_mode', 'archive_library',
    'recovery_min_apply_delay', 'default_transaction_read_only', 'max_connections', 'max_worker_processes',
    'max_wal_senders', 'max_prepared_transactions', 'max_locks_per_transaction', 'wal_retrieve_retry_interval')
  union all select 'dr:unlogged', count(*)::text from pg_class where relpersistence = 'u' and relkind = 'r'
  union all select 'dr:logical_slots', count(*)::text from pg_replication_slots where slot_type = 'logical'
  union all select 'dr:prepared', count(*)::text from pg_prepared_xacts
  union all select 'dr:role_read_only', count(*)::text from pg_db_role_setting d, unnest(d.setconfig) c
    where c ilike 'default_transaction_read_only=%' and split_part(c, '=', 2) not in ('off', 'false', 'no', '0')
      and (d.setdatabase = 0 or d.setdatabase = (select oid from pg_database where datname = current_database()))";

/// A node's settings that matter, by name. Empty: they were not read.
pub(crate) type Settings = BTreeMap<String, String>;

/// Reads them.
pub(crate) async fn read(node: &Node, deadline: Instant) -> Result<Settings, Trouble> {
    match node.rows(READ, deadline).await {
        Ok(rows) => Ok(rows
            .iter()
            .filter_map(|row| Some((row.text("name")?.to_owned(), row.text("setting")?.to_owned())))
            .collect()),
        Err(Trouble::Said(..)) => Ok(Settings::new()),
        Err(trouble) => Err(trouble),
    }
}

/// The hazards of a node that answered. A primary has none: nobody promotes it.
pub(crate) fn find(node: &Node, look: &Look, seen: &[(&Node, View)], store: &Store) -> Vec<Hazard> {
    if !look.recovering {
        return Vec::new();
    }
    let mut found = Found { settings: &look.settings, hazards: Vec::new() };
    found.unreadable();
    found.set("synchronous_standby_names", "inherited-synchronous-standby-names", |value| {
        format!("synchronous_standby_names is '{value}' here: after a promotion the first commit would wait for it; clear it")
    });
    found.set("restore_command", "restore-command", |value| {
        format!("restore_command is '{value}': a promotion calls it several times; clear it, or prove that it fails at once")
    });
    found.archive(node, store);
    if found.number("recovery_min_apply_delay").is_some_and(|delay| delay > 0) {
        found.add("apply-delay", true, "recovery_min_apply_delay holds back what was received; set it to 0");
    }
    match look.paused {
        Some(true) => found.add("replay-paused", true, "replay is paused; `unpause` it"),
        Some(false) => {}
        None => found.add("replay-state-unknown", true, "whether replay is paused could not be read"),
    }
    if look.settings.get("default_transaction_read_only").is_some_and(|value| value == "on")
        || found.number("dr:role_read_only").is_some_and(|count| count > 0)
    {
        found.add(
            "read-only-default",
            true,
            "default_transaction_read_only is on here, for this database or for a role: sessions could not write",
        );
    }
    if found.number("wal_retrieve_retry_interval").is_some_and(|millis| millis > 1_000) {
        found.add(
            "slow-wal-retry",
            false,
            "wal_retrieve_retry_interval is above 1s: a promotion can stall for that long; set it to 100ms (a reload is enough)",
        );
    }
    if found.number("dr:unlogged").is_some_and(|count| count > 0) {
        found.add("unlogged-tables", true, "there are unlogged tables: they are empty after a promotion");
    }
    if let Some(source) = lag::source_of(look, seen) {
        found.against(source);
    }
    found.hazards
}

struct Found<'s> {
    settings: &'s Settings,
    hazards: Vec<Hazard>,
}

impl Found<'_> {
    fn add(&mut self, code: &str, blocks: bool, message: impl Into<String>) {
        self.hazards.push(Hazard { code: code.to_owned(), message: message.into(), blocks });
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.settings.get(name)?.parse().ok()
    }

    fn set(&mut self, name: &str, code: &str, message: impl Fn(&str) -> String) {
        if let Some(value) = self.settings.get(name).filter(|value| !value.trim().is_empty()) {
            self.add(code, true, message(value));
        }
    }

    fn unreadable(&mut self) {
        let needed = [
            "synchronous_standby_names",
            "restore_command",
            "archive_command",
            "max_connections",
            "dr:unlogged",
        ];
        if needed.iter().any(|name| !self.settings.contains_key(*name)) {
            self.add(
                "settings-not-readable",
                true,
                "the settings that can stop a promotion could not be read: grant pg_read_all_settings (pg_monitor)",
            );
        }
    }

    /// An archive of its own is well; one that names another side dies with it.
    fn archive(&mut self, node: &Node, store: &Store) {
        let on = self.settings.get("archive_mode").is_some_and(|mode| mode != "off");
        let Some(command) = self.settings.get("archive_command").filter(|_| on) else { return };
        let elsewhere = store.sides.values().filter(|side| side.side != node.side).find(|side| {
            let hosts = side.config.nodes.iter().map(|node| node.host.as_str());
            hosts
                .filter(|host| !host.starts_with("127.") && *host != "localhost" && *host != "::1")
                .chain([side.side.as_str(), side.config.region.as_str()])
                .any(|name| command.contains(name))
        });
        if let Some(side) = elsewhere {
            let message =
                format!("archive_command is '{command}': it goes to {}, which may be gone", side.side);
            self.add("archive-command", true, message);
        }
    }

    fn against(&mut self, source: &Look) {
        for name in [
            "max_connections",
            "max_worker_processes",
            "max_wal_senders",
            "max_prepared_transactions",
            "max_locks_per_transaction",
        ] {
            let theirs = source.settings.get(name).and_then(|value| value.parse::<i64>().ok());
            if let (Some(ours), Some(theirs)) = (self.number(name), theirs)
                && ours < theirs
            {
                let code = format!("{}-below-source", name.replace('_', "-"));
                self.add(&code, true, format!("{name} is {ours} here and {theirs} on the source"));
            }
        }
        let count =
            |name: &str| source.settings.get(name).and_then(|value| value.parse::<i64>().ok()).unwrap_or(0);
        if count("dr:logical_slots") > 0 {
            self.add(
                "logical-slots",
                true,
                "the source has logical replication slots, which a promotion loses",
            );
        }
        if count("dr:prepared") > 0 {
            self.add(
                "prepared-transactions",
                false,
                "the source has prepared transactions: they keep their locks after a promotion, and without control of \
                 the server no fence is possible",
            );
        }
    }
}
