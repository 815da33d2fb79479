//! What the script runs, and how to get it.

const TOOLS: [(&str, &str); 5] = [
    ("kubectl", "apt-get install kubernetes-client"),
    ("psql", "apt-get install postgresql-client"),
    ("aws", "apt-get install awscli, or in a virtual environment: pip install awscli"),
    ("curl", "apt-get install curl"),
    ("dig", "apt-get install bind9-dnsutils"),
];

/// What is not on the path, a line each.
pub(crate) fn missing() -> Vec<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |tool: &str| std::env::split_paths(&path).any(|folder| folder.join(tool).is_file());
    let missing = TOOLS.iter().filter(|(tool, _)| !is_there(tool));
    missing.map(|(tool, from)| format!("{tool} is not on the PATH: {from}")).collect()
}
