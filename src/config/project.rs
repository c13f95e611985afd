//! Which project this is: its root, its name, and where devdb remembers things about it.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Project;

/// What the surroundings of the process say; read once, in `config::Surroundings`.
pub struct Places<'a> {
    pub state_home: Option<&'a str>,
    pub xdg_state_home: Option<&'a str>,
    pub home: Option<&'a str>,
    pub is_root: bool,
}

/// The nearest folder upwards that holds a `devdb.toml`, else the nearest that git calls the top,
/// else `start` itself.
pub fn find_root(start: &Path) -> PathBuf {
    let upwards = |name: &str| {
        start
            .ancestors()
            .find(|folder| folder.join(name).exists())
            .map(Path::to_owned)
    };
    upwards("devdb.toml")
        .or_else(|| upwards(".git"))
        .unwrap_or_else(|| start.to_owned())
}

/// Lower case letters, digits and single dashes, at most 20 of them: fit for a container's name.
pub fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9') => slug.push(c),
            _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    slug.truncate(20);
    match slug.trim_matches('-') {
        "" => "project".into(),
        slug => slug.into(),
    }
}

/// Two checkouts of one repository differ in their root, so they differ in `id` and never meet.
pub fn identify(root: &Path, name: &str, places: &Places<'_>) -> Project {
    let name = slug(name);
    let hash = Sha256::digest(root.as_os_str().as_encoded_bytes());
    let hash: String = hash.iter().take(4).map(|b| format!("{b:02x}")).collect();
    let id = format!("{name}-{hash}");
    // A local server that root starts runs as another user, who may not look into /root.
    let state_home = match (places.state_home, places.xdg_state_home, places.home) {
        (Some(given), _, _) => PathBuf::from(given),
        _ if places.is_root => PathBuf::from("/var/lib/devdb"),
        (_, Some(xdg), _) => Path::new(xdg).join("devdb"),
        (_, _, Some(home)) => Path::new(home).join(".local/state/devdb"),
        _ => std::env::temp_dir().join("devdb"),
    };
    Project {
        root: root.to_owned(),
        state_dir: state_home.join(&id),
        name,
        id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_checkouts_never_share_an_id() {
        let places = Places {
            state_home: Some("/s"),
            xdg_state_home: None,
            home: None,
            is_root: false,
        };
        let one = identify(Path::new("/a/My App"), "My App", &places);
        let two = identify(Path::new("/b/My App"), "My App", &places);
        assert_eq!((one.name.as_str(), one.id.len()), ("my-app", 15));
        assert_ne!(one.id, two.id);
        assert_eq!(one.state_dir, Path::new("/s").join(&one.id));
    }

    #[test]
    fn any_name_becomes_a_slug() {
        assert_eq!(slug("Ünïcode__App!"), "n-code-app");
        assert_eq!(slug("***"), "project");
        assert_eq!(slug(&"x".repeat(80)).len(), 20);
    }
}
