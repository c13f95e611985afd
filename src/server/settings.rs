//! The settings that servers made by devdb run with.

use std::collections::BTreeMap;

/// A development server may lose its last seconds in a power cut: the migrations are in the
/// repository. In exchange, everything that waits for a disk does not.
const DEVELOPMENT: &[(&str, &str)] = &[
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("max_connections", "200"),
    ("shared_buffers", "128MB"),
];

/// devdb's settings with the user's over them.
pub(crate) fn merged(user: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = DEVELOPMENT
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    for (name, value) in user {
        all.insert(name.to_ascii_lowercase(), value.clone());
    }
    all
}

/// As arguments of `postgres`: `-c name=value` each.
pub(crate) fn arguments(settings: &BTreeMap<String, String>) -> Vec<String> {
    settings
        .iter()
        .flat_map(|(name, value)| ["-c".to_string(), format!("{name}={value}")])
        .collect()
}
