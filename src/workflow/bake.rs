//! `devdb bake`: an image that starts at head, and servers that begin with one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::config::{Config, ServerKind, Tool};
use crate::databases;
use crate::error::{Error, Result};
use crate::migrations::MigrationTool;
use crate::postgres::{self, Target};
use crate::server::{Baked, Ephemeral, Images, Recipe, Server};

use super::baseline::{self, Keys};
use super::ready::{bring_to_head, tool_if_any};
use super::{Context, provision};

/// The files besides the migrations that an Alembic replay depends on: JSON, path → hash.
const FILES: &str = "dev.devdb.baked.files";
/// The id of the last migration.
const AT: &str = "dev.devdb.baked.at";
/// How many migrations there are.
const COUNT: &str = "dev.devdb.baked.migrations";
const DATABASE: &str = "dev.devdb.baked.database";
/// How many images of a project stay on this machine.
const KEPT: usize = 3;

/// What `devdb bake` is to do.
#[derive(Debug, Default)]
pub struct BakeOptions {
    /// Only say what the image would be called.
    pub name_only: bool,
    /// Make it also where it is here already.
    pub again: bool,
    /// Push it to its registry.
    pub push: bool,
    /// Write it into this file.
    pub export: Option<PathBuf>,
}

/// What `devdb bake` did.
#[derive(Debug, Serialize)]
pub struct Bake {
    /// Repository and tag.
    pub image: String,
    /// How many migrations are in it.
    pub migrations: usize,
    /// Whether it was made now.
    pub made: bool,
    pub pushed: bool,
    pub exported: Option<PathBuf>,
    /// With what it shares with its base; `None` where only the name was asked for.
    pub bytes: Option<u64>,
    /// Without that, where it is known.
    pub own_bytes: Option<u64>,
    /// Older ones that were removed.
    pub removed: Vec<String>,
}

/// Makes an image whose server has the dev database at head from its first moment, unless one with
/// the same content is here.
///
/// # Errors
/// `Usage` where the project's tool does not tell its migrations; `Migration` where the chain does
/// not replay; `Server` without an engine, or where the registry refuses.
pub async fn bake(context: &Context, options: &BakeOptions) -> Result<Bake> {
    let config = context.config();
    let mut tool = tool_if_any(context)?;
    let content = Content::of(context, tool.as_mut()).await?;
    if let Some(tool) = &tool {
        context.keep_learned(tool);
    }
    let image = content.image(config);
    let mut bake = Bake {
        image: image.clone(),
        migrations: content.migrations,
        made: false,
        pushed: false,
        exported: None,
        bytes: None,
        own_bytes: None,
        removed: Vec::new(),
    };
    if options.name_only {
        return Ok(bake);
    }
    let images = Images::open(config).await?;
    let _lock = context.lock("bake").await?;
    let here = images.find(&image).await?;
    let here = here.filter(|here| !options.again && content.is_in(here, config));
    let baked = match here {
        Some(here) => here,
        None => {
            bake.made = true;
            make(context, &content).await?
        }
    };
    bake.bytes = Some(baked.bytes);
    bake.own_bytes = baked.own_bytes;
    if let Some(file) = &options.export {
        images.export(&image, file, &context.events).await?;
        bake.exported = Some(file.clone());
    }
    if options.push {
        images.push(&image, &context.events).await?;
        bake.pushed = true;
    }
    for old in images.list(&config.baked).await?.into_iter().skip(KEPT) {
        // One that a container runs from stays.
        if old != image && images.remove(&old).await.is_ok() {
            bake.removed.push(old);
        }
    }
    Ok(bake)
}

async fn make(context: &Context, content: &Content) -> Result<Baked> {
    let own = Ephemeral::start_to_bake(context.config(), &context.events).await?;
    let there = context.with_config(own.config.clone());
    context.lend_learned(&there);
    let recipe = match fill(&there, &own.target, content).await {
        Ok(recipe) => recipe,
        Err(error) => {
            own.close().await?;
            return Err(error);
        }
    };
    let task = context.events.begin("making the image", None);
    let baked = own.bake(&recipe).await?;
    task.end(recipe.image);
    Ok(baked)
}

/// Replays the chain in the dev database of a new server, and leaves nothing else of devdb's there.
async fn fill(there: &Context, maintenance: &Target, content: &Content) -> Result<Recipe> {
    let mut tool = tool_if_any(there)?;
    let (dev, _) = provision::dev_database(there, maintenance).await?;
    bring_to_head(there, tool.as_mut(), &dev, None).await?;
    let after = Content::of(there, tool.as_mut()).await?;
    if after.key != content.key {
        return Err(
            Error::migration("migrations changed while they were replayed")
                .hint("run `devdb bake` again"),
        );
    }
    let mut on = postgres::connect(maintenance).await?;
    databases::drop_all(&mut on, &there.names()).await?;
    // What was written on the way there need not travel with the image.
    on.execute("checkpoint").await?;
    on.close().await;
    Ok(after.recipe(there.config()))
}

/// What an image holds.
struct Content {
    key: String,
    migrations: usize,
    at: String,
    /// As in the label.
    files: BTreeMap<String, String>,
}

impl Content {
    /// Starts no server; Python only where an Alembic project's files changed since it last ran.
    async fn of(context: &Context, tool: Option<&mut MigrationTool>) -> Result<Self> {
        let config = context.config();
        let mut hash = Sha256::new();
        let mut add = |part: &str| {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        };
        let (server, database) = (&config.server, &config.database);
        add(&server.image);
        add(&server.command.join("\n"));
        for (name, value) in server.settings.iter().chain(&server.environment) {
            // Where the data lies is the image's to say.
            if name != "PGDATA" {
                add(&format!("{name}={value}"));
            }
        }
        add(provision::key(config)?.text());
        for part in [&database.name, &database.user, &database.password] {
            add(part);
        }
        let mut content = Content {
            key: String::new(),
            migrations: 0,
            at: String::new(),
            files: BTreeMap::new(),
        };
        if let Some(tool) = tool {
            let migrations = context.migrations()?;
            if migrations.tool == Tool::Command {
                return Err(Error::usage(
                    "a project whose migrations are a command of its own cannot be baked: devdb cannot tell when they change",
                ));
            }
            for (name, value) in &migrations.variables {
                add(&format!("${name}={value:?}"));
            }
            let dev = context.dev(&Server::placeholder(config));
            let chain = tool
                .chain(&context.variables(&dev), &context.events)
                .await?;
            chain.ensure_sound()?;
            chain.head()?;
            for migration in &chain.migrations {
                add(&migration.id);
                add(&migration.checksum);
            }
            content.migrations = chain.migrations.len();
            content.at = chain
                .migrations
                .last()
                .map_or_else(String::new, |m| m.id.clone());
            if let MigrationTool::Alembic(alembic) = tool {
                content.files = alembic.surrounding_files();
            }
        }
        let digest = hash.finalize();
        content.key = digest.iter().take(16).map(|b| format!("{b:02x}")).collect();
        Ok(content)
    }

    fn image(&self, config: &Config) -> String {
        format!("{}:{}", config.baked, &self.key[..12])
    }

    /// Whether this is in that image: the files that its replay was found to depend on count too.
    fn is_in(&self, baked: &Baked, config: &Config) -> bool {
        let files = baked.labels.get(FILES).map_or("{}", String::as_str);
        let files: BTreeMap<String, String> = serde_json::from_str(files).unwrap_or_default();
        let dir = config.migrations.as_ref().map(|m| m.dir.as_path());
        let same = |(name, wanted): (&String, &String)| {
            is_file_with(&dir.unwrap_or(Path::new("")).join(name), wanted)
        };
        baked.key == self.key && files.iter().all(same)
    }

    fn recipe(&self, config: &Config) -> Recipe {
        let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let files = serde_json::to_string(&self.files).expect("plain data");
        Recipe {
            image: self.image(config),
            key: self.key.clone(),
            labels: vec![
                label(FILES, &files),
                label(AT, &self.at),
                label(COUNT, &self.migrations.to_string()),
                label(DATABASE, &config.database.name),
                label("org.opencontainers.image.title", &config.project.name),
            ],
        }
    }
}

fn is_file_with(path: &Path, wanted: &str) -> bool {
    let Ok(bytes) = std::fs::read(path) else {
        return false;
    };
    let digest = Sha256::digest(bytes);
    let hex: String = digest.iter().map(|b| format!("{b:02x}")).collect();
    hex == wanted
}

/// The image to begin with, where one with the right content is here.
pub(super) async fn find(
    context: &Context,
    images: &Images,
    tool: Option<&mut MigrationTool>,
) -> Result<Option<Baked>> {
    let config = context.config();
    // Most projects have none: then nothing else is asked.
    if images.list(&config.baked).await?.is_empty() {
        return Ok(None);
    }
    let Ok(content) = Content::of(context, tool).await else {
        // A chain that is not sound is for others to complain about.
        return Ok(None);
    };
    let found = images.find(&content.image(config)).await?;
    Ok(found.filter(|found| content.is_in(found, config)))
}

/// The server, up. One that never was begins with the baked image that fits, where there is one.
///
/// # Errors
/// As [`Server::ensure_up`].
pub(super) async fn up(context: &Context, server: &Server) -> Result<Target> {
    let mut begun = None;
    if let Some(images) = server.images_to_begin_with().await? {
        let mut tool = tool_if_any(context)?;
        if let Some(baked) = find(context, &images, tool.as_mut()).await? {
            let task = context.events.begin("copying the data of an image", None);
            match server.begin_with(&baked, &context.events).await {
                Ok(()) => {
                    task.end(baked.image);
                    begun = tool;
                }
                // Emptied again by what follows, which replays.
                Err(error) => context
                    .events
                    .warn(format!("{} is not used: {error}", baked.image)),
            }
        }
    }
    let maintenance = server.ensure_up(&context.events).await?;
    if let Some(mut tool) = begun {
        keep(context, &mut tool, &maintenance).await?;
    }
    Ok(maintenance)
}

/// The dev database of a server that was baked is what the replay made of it: it is kept as a
/// baseline.
async fn keep(context: &Context, tool: &mut MigrationTool, maintenance: &Target) -> Result<()> {
    let mut on = postgres::connect(maintenance).await?;
    if let Some(keys) = Keys::of(context, tool, &mut on).await? {
        let dev = &context.config().database.name;
        baseline::keep(context, tool, &mut on, &keys, dev, None).await;
    }
    context.keep_learned(tool);
    on.close().await;
    Ok(())
}

/// A server of its own for one command, that begins with the baked image; `None` where there is none.
pub(super) async fn own_server(context: &Context, server: &Server) -> Result<Option<Ephemeral>> {
    if server.kind() != "docker" || context.config().server.kind == ServerKind::Url {
        return Ok(None);
    }
    let Some(mut tool) = tool_if_any(context)? else {
        return Ok(None);
    };
    let images = Images::open(context.config()).await?;
    let Some(baked) = find(context, &images, Some(&mut tool)).await? else {
        return Ok(None);
    };
    context.keep_learned(&tool);
    context
        .events
        .detail(format!("from the image {}", baked.image));
    let own = Ephemeral::start_baked(context.config(), &baked, &context.events).await?;
    let there = context.with_config(own.config.clone());
    context.lend_learned(&there);
    let kept = async { keep(&there, &mut there.tool()?, &own.target).await };
    if let Err(error) = kept.await {
        own.close().await?;
        return Err(error);
    }
    Ok(Some(own))
}
