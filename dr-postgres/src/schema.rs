//! The JSON schema of the configuration, for editors.

use serde_json::{Value, json};

/// The schema, without `kind`.
pub(crate) fn schema() -> Value {
    let secret = json!({ "type": "string", "pattern": "^\\$\\{[a-z]+:.+\\}$", "description": "A reference: ${env:NAME} or ${file:/path}" });
    let paths = json!({
        "data": { "type": "string", "description": "The data directory: an absolute path" },
        "bin": { "type": "string", "description": "Where pg_ctl, pg_controldata, pg_rewind and pg_basebackup are" },
        "log": { "type": "string", "description": "Where a server that dr starts writes its log. Default: beside the data directory" },
        "config_file": { "type": "string", "description": "postgresql.conf, where it is not in the data directory" },
    });
    let with = |more: Value| {
        let mut all = paths.clone();
        if let (Some(all), Some(more)) = (all.as_object_mut(), more.as_object()) {
            all.extend(more.clone());
        }
        all
    };
    let control = json!({
        "type": "object",
        "additionalProperties": false,
        "minProperties": 1,
        "maxProperties": 1,
        "properties": {
            "local": {
                "type": "object", "additionalProperties": false, "required": ["data", "bin"],
                "properties": with(json!({ "user": { "type": "string", "description": "Who runs it, when dr is root. Default: the data directory's owner" } })),
            },
            "command": {
                "type": "object", "additionalProperties": false, "required": ["prefix", "data", "bin"],
                "properties": with(json!({
                    "prefix": { "type": "array", "minItems": 1, "items": { "type": "string" }, "description": "What stands before each command: [ssh, db1.us]" },
                    "shell": { "type": "boolean", "description": "Whether the other end is a shell that splits words (ssh): then every word is quoted" },
                })),
            },
        },
    });
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["sides"],
        "properties": {
            "application": {
                "description": "The role that the application writes as: the fence's login trial and the ledger use it",
                "type": "object", "additionalProperties": false, "required": ["user"],
                "properties": { "user": { "type": "string" }, "password": secret },
            },
            "connect_timeout": { "type": "string", "description": "How long one node may take to answer. Default: 3s" },
            "tls": {
                "enum": ["disable", "require", "verify-full"],
                "description": "Default: verify-full; disable if every host is a loopback address",
            },
            "sides": {
                "type": "object",
                "minProperties": 2,
                "additionalProperties": {
                    "type": "object", "additionalProperties": false, "required": ["url"],
                    "properties": {
                        "url": { "type": "string", "description": "postgres://user@host:port,host:port/database: every node of the side" },
                        "region": { "type": "string", "description": "Default: the side's name" },
                        "password": secret,
                        "manager": { "type": "string", "description": "The local manager that may promote by itself: none, patroni, cnpg. Default: none" },
                        "control": {
                            "description": "How its servers are controlled: `local` or `command`, or one of them for each host:port",
                            "anyOf": [control, { "type": "object", "additionalProperties": control }],
                        },
                    },
                },
            },
        },
    })
}
