//! Every setting that can be written: its key, its type and what it is for. The one list behind
//! `devdb.toml`, the `DEVDB_*` variables, `devdb config` and the error messages.

/// What a value must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number of seconds, at least 1.
    Seconds,
    Flag,
    /// `"auto"` or a number from 1 to 65535.
    Port,
    List,
    /// A table of text values.
    Map,
}

impl Type {
    /// How the type is called in a message.
    pub fn describe(self) -> String {
        match self {
            Type::Text => "text in quotes".into(),
            Type::Choice(words) => {
                let words: Vec<String> = words.iter().map(|w| format!("\"{w}\"")).collect();
                format!("one of {}", words.join(", "))
            }
            Type::Seconds => "a whole number of seconds".into(),
            Type::Flag => "true or false".into(),
            Type::Port => "\"auto\" or a number from 1 to 65535".into(),
            Type::List => "a list of texts".into(),
            Type::Map => "a table of texts".into(),
        }
    }
}

/// One line of the list.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// As in `devdb.toml`, tables separated by dots.
    pub key: &'static str,
    pub ty: Type,
}

const fn setting(key: &'static str, ty: Type) -> Setting {
    Setting { key, ty }
}

/// All of them, in the order in which `devdb config` shows them.
pub const SETTINGS: &[Setting] = &[
    setting("name", Type::Text),
    setting(
        "server.kind",
        Type::Choice(&["auto", "docker", "local", "url"]),
    ),
    setting("server.compose", Type::Text),
    setting("server.image", Type::Text),
    setting("server.port", Type::Port),
    setting("server.host", Type::Text),
    setting("server.publish", Type::Text),
    setting("server.data", Type::Text),
    setting("server.settings", Type::Map),
    setting("server.url", Type::Text),
    setting("server.allow_reset", Type::Flag),
    setting("server.bin", Type::Text),
    setting("server.wait", Type::Seconds),
    setting("database.name", Type::Text),
    setting("database.user", Type::Text),
    setting("database.password", Type::Text),
    setting("database.extensions", Type::List),
    setting("database.before", Type::List),
    setting("database.spare", Type::Flag),
    setting(
        "migrations.tool",
        Type::Choice(&["sqlx", "alembic", "command"]),
    ),
    setting("migrations.dir", Type::Text),
    setting("migrations.run", Type::List),
    setting("migrations.schema", Type::Text),
    setting("migrations.table", Type::Text),
    setting("migrations.variables", Type::List),
    setting("migrations.complete", Type::Flag),
    setting("migrations.up", Type::Text),
    setting("migrations.generate", Type::Text),
    setting("bake.image", Type::Text),
    setting("drift.ignore", Type::List),
    setting("roles", Type::Map),
    setting("env", Type::Map),
    setting("sqlite", Type::Map),
];

pub fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|s| s.key == key)
}

/// The variable that overrides a setting: `server.port` → `DEVDB_SERVER_PORT`. Tables of texts
/// have none.
pub fn variable(setting: &Setting) -> Option<String> {
    match (setting.ty, setting.key) {
        (Type::Map, _) => None,
        // The name that design.md promises, older than the table.
        (_, "server.bin") => Some("DEVDB_PG_BIN".into()),
        (_, key) => Some(format!("DEVDB_{}", key.replace('.', "_").to_uppercase())),
    }
}

/// The known name that is most like `typed`, if one is close enough to be a slip.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| {
            let distance = strsim::damerau_levenshtein(typed, name);
            (distance, !name.starts_with(typed), name)
        })
        .filter(|(distance, _, name)| *distance <= 2.max(name.len() / 4))
        .min()
        .map(|(_, _, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let keys = || SETTINGS.iter().map(|s| s.key);
        assert_eq!(nearest("server.prot", keys()), Some("server.port"));
        assert_eq!(nearest("server.kin", keys()), Some("server.kind"));
        assert_eq!(nearest("migration.tool", keys()), Some("migrations.tool"));
        assert_eq!(nearest("completely.else", keys()), None);
    }

    #[test]
    fn variables_follow_the_keys() {
        let name = |key| variable(find(key).unwrap());
        assert_eq!(name("server.port").as_deref(), Some("DEVDB_SERVER_PORT"));
        assert_eq!(name("server.bin").as_deref(), Some("DEVDB_PG_BIN"));
        assert_eq!(name("env"), None);
    }
}
