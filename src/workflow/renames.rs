//! Which renames are meant, and what a database is once they ran. Postgres itself says the latter:
//! they run on a scratch database, which is read back.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Named, Result};
use crate::postgres::Connection;
use crate::schema::{self, Rename, Schema};

use super::Context;
use super::compare::read_project;

/// Somebody who can be asked whether a rename is meant; `None` where nobody can.
pub type Ask = Arc<dyn Fn(&Rename) -> Option<bool> + Send + Sync>;

/// What is known about renames before anybody is asked.
#[derive(Clone, Default)]
pub struct Decisions {
    /// `old=new`: meant; in the order of `--rename`, then of the decisions file.
    meant: Vec<(String, String)>,
    /// `old!=new`: not meant.
    not_meant: Vec<(String, String)>,
    /// How many of `meant` were typed on the command line; the file may hold old ones.
    typed: usize,
    ask: Option<Ask>,
}

/// The decisions file, beside `devdb.toml`.
const FILE: &str = "devdb.renames";

impl Decisions {
    /// From `--rename old=new` and the lines of `devdb.renames` in the project's root.
    ///
    /// # Errors
    /// `Usage` where a decision is neither `old=new` nor `old!=new`.
    pub fn new(typed: &[String], root: &Path, ask: Option<Ask>) -> Result<Self> {
        let mut decisions = Decisions {
            ask,
            ..Decisions::default()
        };
        for text in typed {
            decisions.add(text, "--rename")?;
        }
        decisions.typed = decisions.meant.len();
        let file = root.join(FILE);
        if file.is_file() {
            let text = std::fs::read_to_string(&file)
                .named(format_args!("cannot read {}", file.display()))?;
            for (number, line) in text.lines().enumerate() {
                let line = line.split('#').next().unwrap_or_default().trim();
                if !line.is_empty() {
                    decisions.add(line, &format!("{FILE}:{}", number + 1))?;
                }
            }
        }
        Ok(decisions)
    }

    fn add(&mut self, text: &str, place: &str) -> Result<()> {
        let parts = |operator: &str| {
            text.split_once(operator)
                .map(|(old, new)| (old.trim().to_owned(), new.trim().to_owned()))
                .filter(|(old, new)| !old.is_empty() && !new.is_empty())
        };
        match (parts("!="), parts("=")) {
            (Some(pair), _) => self.not_meant.push(pair),
            (None, Some(pair)) => self.meant.push(pair),
            _ => {
                return Err(Error::usage(format!("{place}: {text:?} is no decision"))
                    .hint("write old=new (public.users.name=full_name), or old!=new where they are two things"));
            }
        }
        Ok(())
    }

    fn is_meant(&self, rename: &Rename) -> bool {
        self.meant
            .iter()
            .any(|(old, new)| rename.is_meant_by(old, new))
    }

    /// Whether something was decided on the command line.
    pub fn is_typed(&self) -> bool {
        self.typed > 0
    }

    /// # Errors
    /// `Usage` for a `--rename` that fits nothing that differs.
    fn ensure_used(&self, done: &[Rename]) -> Result<()> {
        for (old, new) in &self.meant[..self.typed] {
            if !done.iter().any(|rename| rename.is_meant_by(old, new)) {
                return Err(Error::usage(format!(
                    "--rename {old}={new}: there is no such difference"
                ))
                .hint("a column is named under its table's new name (public.users.name), a value under its type (public.mood.sad)"));
            }
        }
        Ok(())
    }

    /// `None`: nobody has decided.
    fn decide(&self, rename: &Rename) -> Option<bool> {
        let among =
            |list: &[(String, String)]| list.iter().any(|(old, new)| rename.is_meant_by(old, new));
        match () {
            () if rename.certain => Some(true),
            () if among(&self.not_meant) => Some(false),
            () if self.is_meant(rename) => Some(true),
            () => self.ask.as_ref().and_then(|ask| ask(rename)),
        }
    }
}

/// What came of the decisions.
pub struct Settled<'a> {
    /// In the order in which they ran.
    pub done: Vec<Rename>,
    /// The schema once they ran.
    pub after: Cow<'a, Schema>,
    /// What may be a rename, and nobody has decided.
    pub open: Vec<Rename>,
}

impl<'a> Settled<'a> {
    /// Nothing looks like a rename.
    pub fn nothing(from: &'a Schema) -> Self {
        Settled {
            done: Vec::new(),
            after: Cow::Borrowed(from),
            open: Vec::new(),
        }
    }
}

/// Whether there is anything to settle, so that a scratch database is worth making.
pub fn is_needed(from: &Schema, to: &Schema, decisions: &Decisions) -> bool {
    decisions.typed > 0 || !schema::renames(from, to).is_empty()
}

/// Runs the renames that are meant on `connection`, a database that is `from`.
pub async fn settle<'a>(
    context: &Context,
    connection: &mut Connection,
    from: &'a Schema,
    to: &Schema,
    decisions: &Decisions,
) -> Result<Settled<'a>> {
    let mut settled = Settled::nothing(from);
    let mut declined: Vec<Rename> = Vec::new();
    loop {
        settled.open.clear();
        let mut ran = false;
        let mut candidates: Vec<Rename> = match decisions.meant.is_empty() {
            true => Vec::new(),
            false => schema::possible_renames(&settled.after, to),
        };
        candidates.retain(|rename| decisions.is_meant(rename));
        // What a person named comes first; the rest is looked for when that has its names.
        if candidates.is_empty() {
            candidates = schema::renames(&settled.after, to);
        }
        for rename in candidates {
            if declined.contains(&rename) {
                continue;
            }
            match decisions.decide(&rename) {
                Some(true) => {
                    connection
                        .execute(&rename.sql())
                        .await
                        .map_err(|e| e.context(format_args!("cannot rename {rename}")))?;
                    settled.done.push(rename);
                    ran = true;
                }
                Some(false) => declined.push(rename),
                None => settled.open.push(rename),
            }
        }
        if !ran {
            decisions.ensure_used(&settled.done)?;
            return Ok(settled);
        }
        settled.after = Cow::Owned(read_project(context, connection).await?);
    }
}

/// The hazard of a rename that nobody has decided.
pub fn undecided(rename: &Rename) -> String {
    format!(
        "{rename} may be a rename: --rename {}={} keeps what is in it, a line {}!={} in {FILE} says that it is none",
        rename.old(),
        rename.short(),
        rename.old(),
        rename.short()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_read_and_mistakes_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join(FILE),
            "# of ours\npublic.a.b = c # yes\nx != y\n",
        )
        .unwrap();
        let decisions = Decisions::new(&["t=u".into()], folder.path(), None).unwrap();
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(decisions.meant, [pair("t", "u"), pair("public.a.b", "c")]);
        assert_eq!(decisions.not_meant, [pair("x", "y")]);
        std::fs::write(folder.path().join(FILE), "nonsense\n").unwrap();
        let error = Decisions::new(&[], folder.path(), None).err().unwrap();
        assert_eq!(
            error.message(),
            "devdb.renames:1: \"nonsense\" is no decision"
        );
    }
}
