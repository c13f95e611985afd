//! How devdb's own databases are called.

use sha2::{Digest, Sha256};

use crate::config::Project;

/// The names for one project. A server may hold those of many projects (`kind = "url"`), so each
/// name carries the project's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    prefix: String,
    /// Eight hex digits for the dev database.
    dev: String,
}

impl Names {
    /// `dev` is the name of the dev database; a project can have several, one after the other.
    pub fn new(project: &Project, dev: &str) -> Self {
        let hash = Sha256::digest(dev);
        Names {
            prefix: format!("devdb_{}", project.id.replace('-', "_")),
            dev: hash.iter().take(4).map(|b| format!("{b:02x}")).collect(),
        }
    }

    /// Sixteen hex digits for any text.
    pub fn digest(text: &str) -> String {
        let hash = Sha256::digest(text);
        hash.iter().take(8).map(|b| format!("{b:02x}")).collect()
    }

    /// What stands in the dev database before the first migration.
    pub fn base(&self) -> String {
        format!("{}_base", self.prefix)
    }

    /// A base under construction.
    pub fn base_making(&self) -> String {
        format!("{}_base_making", self.prefix)
    }

    /// A baseline, by the hex digits of its key.
    pub fn baseline(&self, key: &str) -> String {
        format!("{}{}", self.baseline_prefix(), &key[..key.len().min(12)])
    }

    /// What all baselines of the project begin with.
    pub fn baseline_prefix(&self) -> String {
        format!("{}_at_", self.prefix)
    }

    /// What all of the project's databases begin with, besides the dev database.
    pub fn prefix(&self) -> String {
        format!("{}_", self.prefix)
    }

    /// What the last reset of this dev database replaced.
    pub fn aside(&self) -> String {
        format!("{}_aside_{}", self.prefix, self.dev)
    }

    /// Something on its way out; `token` tells it from others.
    pub fn trash(&self, token: &str) -> String {
        format!("{}{token}", self.trash_prefix())
    }

    /// What everything on its way out begins with.
    pub fn trash_prefix(&self) -> String {
        format!("{}_trash_", self.prefix)
    }

    /// The clone of a baseline that is made ahead of need.
    pub fn spare(&self, baseline: &str) -> String {
        let key = baseline.strip_prefix(&self.baseline_prefix());
        format!("{}{}", self.spare_prefix(), key.unwrap_or(baseline))
    }

    /// What all spares of the project begin with.
    pub fn spare_prefix(&self) -> String {
        format!("{}_spare_", self.prefix)
    }

    /// The database of a snapshot, of which `name` is free text.
    pub fn snapshot(&self, name: &str) -> String {
        let hash = Sha256::digest(name);
        let hash: String = hash.iter().take(6).map(|b| format!("{b:02x}")).collect();
        format!("{}{hash}", self.snapshot_prefix())
    }

    /// What all snapshots of the project begin with.
    pub fn snapshot_prefix(&self) -> String {
        format!("{}_snap_", self.prefix)
    }

    /// A clone that stays until it is dropped.
    pub fn clone_named(&self, name: &str) -> String {
        let hash = Sha256::digest(name);
        let hash: String = hash.iter().take(6).map(|b| format!("{b:02x}")).collect();
        format!("{}{hash}", self.clone_prefix())
    }

    /// What all of those begin with.
    pub fn clone_prefix(&self) -> String {
        format!("{}_clone_", self.prefix)
    }

    /// A spare under construction, renamed when it is complete.
    pub fn making(&self) -> String {
        format!("{}_making", self.prefix)
    }

    /// A dev database under construction, renamed when it is complete.
    pub fn fresh(&self) -> String {
        format!("{}_fresh", self.prefix)
    }

    /// A scratch database; `token` tells sessions apart, `purpose` the databases of one session.
    pub fn scratch(&self, token: &str, purpose: &str) -> String {
        format!("{}{token}_{purpose}", self.scratch_prefix())
    }

    /// What all scratch databases of the project begin with.
    pub fn scratch_prefix(&self) -> String {
        format!("{}_scratch_", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_into_63_bytes_and_know_their_project() {
        let project = Project {
            root: "/p".into(),
            name: "a".repeat(20),
            id: format!("{}-0a1b2c3d", "a".repeat(20)),
            state_dir: "/s".into(),
        };
        let names = Names::new(&project, "app");
        // What was put aside of one dev database is never brought back as another.
        assert_ne!(names.aside(), Names::new(&project, "other").aside());
        assert!(names.aside().len() <= 63);
        let scratch = names.scratch("4194304x9", "wanted");
        assert!(scratch.len() <= 63, "{} is too long", scratch.len());
        assert!(scratch.starts_with(&names.scratch_prefix()));
    }
}
