//! The sides of a comparison, by name: `dev`, `baseline`, `wanted`, a commit, a URL, a file.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::config::{Target, Tool};
use crate::databases::Scratch;
use crate::error::{Error, Result};
use crate::migrations::MigrationTool;
use crate::migrations::sqlx::Sqlx;
use crate::postgres::{self, Connection, Row, error_from};
use crate::schema::{self, Kind, Schema};

use super::super::generate::schema_files;
use super::super::{Context, bake, baseline, git, provision, ready, snapshot};
use super::Desk;

/// One side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side {
    /// The dev database as it is.
    Dev,
    /// A replay of the chain, to head or to one migration.
    Baseline {
        to: Option<String>,
    },
    /// What `migrations.schema` says.
    Wanted,
    /// The chain, or a file or folder of SQL, as of a commit.
    Git {
        revision: String,
        path: Option<String>,
    },
    Url(Target),
    /// A file or a folder of SQL, such as `pg_dump --schema-only` writes.
    Files(PathBuf),
    /// A saved state of the dev database.
    Snapshot(String),
    /// Nothing at all.
    Empty,
}

impl Side {
    /// Reads a side as it is typed. `here` is the folder that paths are relative to.
    ///
    /// # Errors
    /// `Usage`, naming the forms that there are.
    pub fn parse(text: &str, here: &Path) -> Result<Self> {
        Ok(match text {
            "dev" => Side::Dev,
            "baseline" => Side::Baseline { to: None },
            "wanted" => Side::Wanted,
            "empty" => Side::Empty,
            _ if text.starts_with("postgres") && text.contains("://") => {
                Side::Url(Target::parse(text)?)
            }
            _ if text.starts_with("baseline:") => Side::Baseline {
                to: Some(text["baseline:".len()..].to_owned()),
            },
            _ if text.starts_with("snapshot:") => {
                Side::Snapshot(text["snapshot:".len()..].to_owned())
            }
            _ if text.starts_with("git:") => {
                let rest = &text["git:".len()..];
                let (revision, path) = match rest.split_once(':') {
                    Some((revision, path)) => (revision, Some(path.to_owned())),
                    None => (rest, None),
                };
                Side::Git {
                    revision: revision.to_owned(),
                    path,
                }
            }
            _ if here.join(text).exists() => Side::Files(here.join(text)),
            _ => {
                return Err(Error::usage(format!("{text:?} is neither a side nor a file")).hint(
                    "sides are dev, baseline, baseline:ID, wanted, snapshot:NAME, empty, git:REV, git:REV:PATH, a Postgres URL, an SQL file or folder",
                ));
            }
        })
    }
}

/// As it was typed, a URL without its password.
impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Side::Dev => f.write_str("dev"),
            Side::Baseline { to: None } => f.write_str("baseline"),
            Side::Baseline { to: Some(id) } => write!(f, "baseline:{id}"),
            Side::Wanted => f.write_str("wanted"),
            Side::Git { revision, path } => match path {
                Some(path) => write!(f, "git:{revision}:{path}"),
                None => write!(f, "git:{revision}"),
            },
            Side::Url(target) => write!(f, "{target}"),
            Side::Files(path) => write!(f, "{}", path.display()),
            Side::Snapshot(name) => write!(f, "snapshot:{name}"),
            Side::Empty => f.write_str("empty"),
        }
    }
}

impl Desk<'_> {
    /// The schema of a side, without the migration tool's own table.
    pub(in crate::workflow) async fn read(&mut self, side: &Side) -> Result<Schema> {
        let place = self.place(side).await?;
        read_at(&place, own_table(self.home)?.as_deref()).await
    }

    /// Both schemas, read at the same time where both stand.
    pub(super) async fn read_both(&mut self, a: &Side, b: &Side) -> Result<(Schema, Schema)> {
        let (a, b) = (self.place(a).await?, self.place(b).await?);
        self.read_at_once(a, b).await
    }

    /// Reads two databases at the same time.
    pub(super) async fn read_at_once(&self, a: Target, b: Target) -> Result<(Schema, Schema)> {
        let table = own_table(self.home)?;
        let other = table.clone();
        let other = tokio::spawn(async move { read_at(&b, other.as_deref()).await });
        let a = read_at(&a, table.as_deref()).await;
        let b = other
            .await
            .map_err(|e| Error::failed(format!("reading a schema: {e}")))?;
        Ok((a?, b?))
    }

    /// The database that is a side: one that stands, or a scratch database that is made to be it.
    pub(super) async fn place(&mut self, side: &Side) -> Result<Target> {
        match side {
            Side::Dev => {
                let server = self.home.server().await?;
                let maintenance = bake::up(self.home, &server).await?;
                Ok(provision::dev_database(self.home, &maintenance).await?.0)
            }
            Side::Url(target) => Ok(target.clone()),
            Side::Baseline { to } => {
                let purpose = self.purpose();
                let mut tool = self.home.tool()?;
                let to = to.as_deref();
                let bench = self.bench_for_replay(to).await?;
                let (context, workshop) = (&bench.context, &mut bench.workshop);
                let scratch = baseline::scratch(context, workshop, &mut tool, &purpose, to).await?;
                Ok(scratch.target)
            }
            Side::Wanted if self.home.migrations()?.tool == Tool::Alembic => {
                let scratch = self.clone_of_base().await?;
                let variables = self.home.variables(&scratch.target);
                let mut tool = self.home.tool()?;
                if let MigrationTool::Alembic(alembic) = &mut tool {
                    let events = &self.home.events;
                    alembic
                        .create_all(&scratch.target, &variables, events)
                        .await?;
                }
                Ok(scratch.target)
            }
            Side::Wanted => {
                let files = self.wanted_files()?;
                let scratch = self.clone_of_base().await?;
                load(self.home, &scratch, &files).await
            }
            Side::Files(path) => {
                let files = schema_files(Some(path))?;
                let scratch = self.empty().await?;
                load_as(&scratch.target, &scratch, &files).await
            }
            Side::Git {
                revision,
                path: Some(path),
            } => {
                let checkout = git::checkout(&self.home.config().project.root, revision)?;
                let files = schema_files(Some(&checkout.path(path)?))?;
                let scratch = self.clone_of_base().await?;
                load(self.home, &scratch, &files).await
            }
            Side::Git {
                revision,
                path: None,
            } => self.chain_as_of(revision).await,
            Side::Snapshot(name) => {
                let server = self.home.server().await?;
                let purpose = self.purpose();
                let home = self.home;
                let workshop = self.workshop().await?;
                // Nobody can connect to the snapshot itself.
                let on = workshop.connection();
                let found = snapshot::here(snapshot::find(home, &server, on, name).await?)?;
                Ok(workshop.make(&purpose, &found.database).await?.target)
            }
            Side::Empty => Ok(self.empty().await?.target),
        }
    }

    /// The chain as of a commit, replayed from the present base.
    async fn chain_as_of(&mut self, revision: &str) -> Result<Target> {
        let root = &self.home.config().project.root;
        let checkout = git::checkout(root, revision)?;
        let mut migrations = self.home.migrations()?.clone();
        migrations.dir = checkout.moved(&migrations.dir)?;
        // Another chain than the dev database's makes other roles, or the same once more.
        self.bench_as_clean().await?;
        let scratch = self.clone_of_base().await?;
        let virtual_env = self.home.loaded.virtual_env.as_deref();
        let mut tool = MigrationTool::open(&migrations, virtual_env)?;
        ready::apply(self.home, &mut tool, &scratch.target, None).await?;
        Ok(scratch.target)
    }

    /// What stands there before the first migration.
    pub(super) async fn base(&mut self) -> Result<Schema> {
        let scratch = self.clone_of_base().await?;
        read_at(&scratch.target, own_table(self.home)?.as_deref()).await
    }

    async fn clone_of_base(&mut self) -> Result<Scratch> {
        let purpose = self.purpose();
        let bench = self.bench().await?;
        let base = provision::base(&bench.context, bench.workshop.connection()).await?;
        bench.workshop.make(&purpose, &base).await
    }

    async fn empty(&mut self) -> Result<Scratch> {
        let purpose = self.purpose();
        self.workshop().await?.make(&purpose, "template0").await
    }

    fn wanted_files(&self) -> Result<Vec<PathBuf>> {
        let migrations = self.home.migrations()?;
        match migrations.tool {
            Tool::Sqlx => schema_files(migrations.schema.as_deref()),
            other => Err(Error::usage(format!(
                "what is wanted of a project with tool = \"{}\" is not known as SQL",
                other.name()
            ))
            .hint("`devdb generate` compares the models; `devdb diff baseline FILE` a file")),
        }
    }
}

/// Loads what is wanted as the role that will own it.
async fn load(context: &Context, scratch: &Scratch, files: &[PathBuf]) -> Result<Target> {
    load_as(&context.as_owner(&scratch.target), scratch, files).await
}

async fn load_as(target: &Target, scratch: &Scratch, files: &[PathBuf]) -> Result<Target> {
    let mut connection = postgres::connect(target).await?;
    let result = async {
        for file in files {
            provision::run_file(&mut connection, file).await?;
        }
        Ok(())
    }
    .await;
    connection.close().await;
    result.map(|()| scratch.target.clone())
}

async fn read_at(target: &Target, own_table: Option<&str>) -> Result<Schema> {
    let mut connection = postgres::connect(target).await?;
    let result = read_without(&mut connection, own_table).await;
    connection.close().await;
    result
}

/// The table in which the project's tool keeps what is applied.
pub(in crate::workflow) fn own_table(context: &Context) -> Result<Option<String>> {
    let Some(migrations) = &context.config().migrations else {
        return Ok(None);
    };
    Ok(match migrations.tool {
        Tool::Sqlx => Some(Sqlx::open(migrations)?.table().to_owned()),
        Tool::Alembic => Some(context.version_table()),
        Tool::Command => None,
    })
}

/// The schema without the table in which the tool keeps what is applied.
pub(in crate::workflow) async fn read_project(
    context: &Context,
    connection: &mut Connection,
) -> Result<Schema> {
    read_without(connection, own_table(context)?.as_deref()).await
}

async fn read_without(connection: &mut Connection, own_table: Option<&str>) -> Result<Schema> {
    let schema = schema::read(connection).await?;
    let Some(table) = own_table else {
        return Ok(schema);
    };
    let rows = connection
        .fetch(
            "select n.nspname::text, c.relname::text from pg_catalog.pg_class c \
             join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
             where c.oid = pg_catalog.to_regclass($1)",
            &[table],
        )
        .await?;
    let Some(row) = rows.first() else {
        return Ok(schema);
    };
    let namespace: String = row.try_get(0).map_err(error_from)?;
    let table: String = row.try_get(1).map_err(error_from)?;
    Ok(schema
        .without(|id| id.kind() == Kind::Table && id.schema() == namespace && id.name() == table))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_read_as_they_are_shown() {
        for text in [
            "dev",
            "baseline",
            "baseline:42",
            "wanted",
            "git:main",
            "snapshot:first try",
            "git:HEAD~1:db/x.sql",
            "empty",
        ] {
            assert_eq!(Side::parse(text, Path::new("/")).unwrap().to_string(), text);
        }
        let url = Side::parse("postgresql://me:pw@db:5432/x", Path::new("/")).unwrap();
        assert_eq!(url.to_string(), "postgresql://me@db:5432/x");
        assert!(Side::parse("nonsense", Path::new("/")).is_err());
    }
}
