//! The variables that a child process gets, made from the database that it is to use.

use super::{EnvValue, Target};

/// What may stand in braces in an `[env]` value.
pub const PARTS: &[&str] = &[
    "{url}",
    "{host}",
    "{port}",
    "{user}",
    "{password}",
    "{database}",
];

/// The first part in braces that is not in [`PARTS`].
pub fn unknown_part(text: &str) -> Option<String> {
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let end = rest[at..].find('}')? + at;
        if !PARTS.contains(&&rest[at..=end]) {
            return Some(rest[at + 1..end].to_owned());
        }
        rest = &rest[end + 1..];
    }
    None
}

/// The variables for `target`, in the order of the configuration.
pub fn render(env: &[(String, EnvValue)], target: &Target) -> Vec<(String, String)> {
    env.iter()
        .map(|(name, value)| {
            let text = match value {
                EnvValue::Url(scheme) => target.url(scheme),
                EnvValue::UrlAs(scheme, role) => target.as_role(role).url(scheme),
                EnvValue::Text(text) => fill(text, target),
            };
            (name.clone(), text)
        })
        .collect()
}

fn fill(text: &str, target: &Target) -> String {
    // One pass, so that a password with braces in it is not filled in itself.
    let mut result = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        result.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some(part) = PARTS.iter().find(|part| rest.starts_with(**part)) else {
            result.push('{');
            rest = &rest[1..];
            continue;
        };
        match *part {
            "{url}" => result.push_str(&target.url("postgresql")),
            "{host}" => result.push_str(&target.host),
            "{port}" => result.push_str(&target.port.to_string()),
            "{user}" => result.push_str(&target.user),
            "{password}" => result.push_str(target.password.as_deref().unwrap_or_default()),
            _ => result.push_str(&target.database),
        }
        rest = &rest[part.len()..];
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_parts_are_filled_in() {
        let target = Target::parse("postgresql://me:p%7Bport%7D@127.0.0.1:5433/app").unwrap();
        let env = [
            ("A".to_string(), EnvValue::Url("postgresql+pg8000".into())),
            (
                "B".to_string(),
                EnvValue::Text("{password}@{host}:{port}/{x}".into()),
            ),
        ];
        assert_eq!(
            render(&env, &target),
            [
                (
                    "A".into(),
                    "postgresql+pg8000://me:p%7Bport%7D@127.0.0.1:5433/app".into()
                ),
                ("B".into(), "p{port}@127.0.0.1:5433/{x}".into()),
            ]
        );
        assert_eq!(unknown_part("{host}:{prot}"), Some("prot".into()));
        assert_eq!(unknown_part("{host}:{port}"), None);
    }
}
