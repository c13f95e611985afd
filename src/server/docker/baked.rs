//! Baked images: an image over the project's, with a data directory in a layer of its own. Made,
//! found, copied out of, written to a file and pushed.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use bollard::models::{ContainerConfig, ContainerCreateBody, ImageSummary};
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, DownloadFromContainerOptionsBuilder, ListImagesOptionsBuilder,
    PushImageOptionsBuilder, RemoveImageOptions, UploadToContainerOptionsBuilder,
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::io::AsyncWriteExt as _;

use super::{Docker, container, credentials, engine, folder, helper, image, spec, volume};
use crate::config::Config;
use crate::error::{Error, Named as _, Result};
use crate::event::Events;
use crate::server::baked::{BASE, BASE_ID, Baked, KEY, PGDATA, Recipe};
use crate::server::state::{Intent, Kept};

/// How often a large transfer says how far it is, in bytes.
const STEP: u64 = 1 << 20;

impl Docker {
    /// Makes an image of this server's data directory, which lies at [`PGDATA`]; the server is
    /// stopped.
    pub(in crate::server) async fn bake(&self, recipe: &Recipe) -> Result<Baked> {
        let what = format!("cannot make the image {}", recipe.image);
        let base = image::get(&self.docker, &self.config.server.image, &Events::silent()).await?;
        let base_id = engine::named(self.docker.inspect_image(&base.name).await, &what)?.id;
        let mut labels: HashMap<String, String> = recipe.labels.iter().cloned().collect();
        labels.insert(KEY.into(), recipe.key.clone());
        labels.insert(BASE.into(), self.config.server.image.clone());
        labels.insert(BASE_ID.into(), base_id.unwrap_or_default());
        labels.insert(
            "org.opencontainers.image.base.name".into(),
            base.name.clone(),
        );
        // The container has none of devdb's own labels: the image, and whatever runs from it, would
        // inherit them. Its name tells whose it is.
        let name = self.unfinished_image();
        container::remove(&self.docker, &name).await?;
        let body = ContainerCreateBody {
            image: Some(base.name.clone()),
            ..ContainerCreateBody::default()
        };
        container::create(&self.docker, &name, body).await?;
        let made = self.fill_and_commit(&name, recipe, labels).await;
        container::remove(&self.docker, &name).await?;
        engine::named(made, &what)?;
        let found = self.images().find(&recipe.image).await?;
        found.ok_or_else(|| Error::server(what))
    }

    async fn fill_and_commit(
        &self,
        name: &str,
        recipe: &Recipe,
        labels: HashMap<String, String>,
    ) -> Result<(), bollard::errors::Error> {
        let (parent, _) = PGDATA.rsplit_once('/').unwrap_or_default();
        let from = DownloadFromContainerOptionsBuilder::default().path(PGDATA);
        let data = self
            .docker
            .download_from_container(&self.name, Some(from.build()))
            .map_err(std::io::Error::other);
        let to = UploadToContainerOptionsBuilder::default().path(parent);
        let body = bollard::body_try_stream(data);
        self.docker
            .upload_to_container(name, Some(to.build()), body)
            .await?;
        let (repository, tag) = recipe.image.rsplit_once(':').unwrap_or_default();
        let options = CommitContainerOptionsBuilder::default()
            .container(name)
            .repo(repository)
            .tag(tag)
            .comment("devdb bake");
        let database = &self.config.database;
        let env = [
            format!("PGDATA={PGDATA}"),
            // For clients in the container, such as a health check.
            format!("POSTGRES_USER={}", database.user),
            format!("POSTGRES_DB={}", database.name),
        ];
        let config = ContainerConfig {
            env: Some(env.into()),
            cmd: Some(spec::command(&self.config)),
            labels: Some(labels),
            ..ContainerConfig::default()
        };
        self.docker
            .commit_container(options.build(), config)
            .await
            .map(|_| ())
    }

    pub(in crate::server) fn images(&self) -> Images {
        Images(self.docker.clone())
    }

    fn unfinished_image(&self) -> String {
        format!("{}-image", self.name)
    }

    /// Removes what [`Docker::bake`] left where it was killed.
    pub(super) async fn sweep_unfinished_image(&self) -> Result<()> {
        container::remove(&self.docker, &self.unfinished_image()).await
    }

    /// Whether there is neither a container nor any data yet.
    pub(in crate::server) async fn is_new(&self) -> Result<bool> {
        let state = self.load()?;
        let was_ready = self
            .slot(&state)
            .is_some_and(|slot| slot.current.initialised);
        if was_ready || self.key().is_none() || self.find().await?.is_some() {
            return Ok(false);
        }
        match self.folder() {
            Some(folder) => Ok(folder::is_vacant(folder)),
            None => Ok(volume::all(&self.docker, &self.config).await?.is_empty()),
        }
    }

    /// Begins with a copy of what is in `baked`. The data directory is known only once it is whole.
    pub(in crate::server) async fn begin_with(&self, baked: &Baked, events: &Events) -> Result<()> {
        self.check_mounts()?;
        self.refuse_shared().await?;
        let Some(key) = self.key() else {
            return Ok(());
        };
        let image = image::get(&self.docker, &self.config.server.image, events).await?;
        let place = match self.folder() {
            Some(folder) => folder.to_string_lossy().into_owned(),
            None => volume::name(&self.config, 1),
        };
        // Cut off from here on, it is emptied again.
        let mut state = self.load()?;
        // What was put aside before may still be there.
        let slot = state.slots.entry(key).or_default();
        slot.generation = slot.generation.max(1);
        slot.current = Kept {
            place: place.clone(),
            ours: true,
            ..Kept::default()
        };
        slot.intent = Some(Intent::Empty);
        state.save()?;
        let (docker, config) = (&self.docker, &self.config);
        let mount = match self.folder() {
            Some(folder) => {
                folder::make(folder)?;
                spec::bind(&place, "/to")
            }
            None => {
                volume::create(docker, config, &place, image.major()).await?;
                spec::volume(&place, "/to")
            }
        };
        let (_, below) = image.data_path(&config.server.environment);
        let script = "mkdir -p \"/to/$1\"; cp -a --reflink=auto \"$2/.\" \"/to/$1/\" || cp -a \"$2/.\" \"/to/$1/\"";
        let arguments = [below.as_str(), PGDATA];
        helper::run(
            docker,
            config,
            &baked.image,
            vec![mount],
            script,
            &arguments,
        )
        .await?;
        if let Some(slot) = self.slot_mut(&mut state) {
            slot.intent = None;
            slot.current.initialised = true;
            slot.current.major = image.major();
        }
        state.save()
    }
}

/// The images of an engine.
pub struct Images(bollard::Docker);

impl Images {
    /// # Errors
    /// `Server` where no engine can be reached.
    pub async fn open(config: &Config) -> Result<Self> {
        engine::connect(&config.server).await.map(Images)
    }

    /// The baked image of this name, where it is here and its base is none other than the one here.
    pub async fn find(&self, name: &str) -> Result<Option<Baked>> {
        let inspect = match self.0.inspect_image(name).await {
            Ok(inspect) => inspect,
            Err(failure) if engine::is_missing(&failure) => return Ok(None),
            Err(failure) => {
                return engine::named(Err(failure), format_args!("cannot look at image {name}"));
            }
        };
        let bytes = inspect.size.unwrap_or_default().unsigned_abs();
        let labels = inspect.config.and_then(|config| config.labels);
        let labels: BTreeMap<String, String> = labels.unwrap_or_default().into_iter().collect();
        let Some(key) = labels.get(KEY).cloned() else {
            return Ok(None);
        };
        // A tag such as pg17 moves on.
        let base = labels.get(BASE).cloned().unwrap_or_default();
        let mut own_bytes = None;
        if let Some(here) = image::present(&self.0, &base).await?
            && let Ok(now) = self.0.inspect_image(&here.name).await
        {
            if now.id.as_ref() != labels.get(BASE_ID) {
                return Ok(None);
            }
            let shared = now.size.unwrap_or_default().unsigned_abs();
            own_bytes = Some(bytes.saturating_sub(shared));
        }
        Ok(Some(Baked {
            image: name.to_owned(),
            key,
            bytes,
            own_bytes,
            labels,
        }))
    }

    /// Tags of the repository's baked images that are here, the newest first.
    pub async fn list(&self, repository: &str) -> Result<Vec<String>> {
        let filters = HashMap::from([
            ("reference".to_string(), vec![repository.to_owned()]),
            ("label".to_string(), vec![KEY.to_owned()]),
        ]);
        let options = ListImagesOptionsBuilder::default().filters(&filters);
        let found = self.0.list_images(Some(options.build())).await;
        let mut found: Vec<ImageSummary> = engine::named(found, "cannot list images")?;
        found.sort_by_key(|image| std::cmp::Reverse(image.created));
        let prefix = format!("{repository}:");
        let tags = found.into_iter().flat_map(|image| image.repo_tags);
        Ok(tags.filter(|tag| tag.starts_with(&prefix)).collect())
    }

    /// Removes an image that nothing runs from.
    pub async fn remove(&self, name: &str) -> Result<()> {
        let removed = self.0.remove_image(name, None::<RemoveImageOptions>, None);
        engine::named(removed.await, format_args!("cannot remove image {name}")).map(|_| ())
    }

    /// Writes it in the format of `docker save`, whole or not at all. Gives the bytes.
    pub async fn export(&self, name: &str, file: &Path, events: &Events) -> Result<u64> {
        let what = format!("cannot write {}", file.display());
        let folder = file.parent().filter(|f| !f.as_os_str().is_empty());
        let temporary =
            tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).named(&what)?;
        let mut to = tokio::fs::File::from_std(temporary.reopen().named(&what)?);
        let task = events.begin(format!("writing {}", file.display()), None);
        let mut stream = self.0.export_image(name).boxed();
        let (mut bytes, mut said) = (0, 0);
        while let Some(chunk) = stream.next().await {
            let chunk = engine::named(chunk, format_args!("cannot read image {name}"))?;
            to.write_all(&chunk).await.named(&what)?;
            bytes += chunk.len() as u64;
            if bytes - said > STEP {
                said = bytes;
                task.advance(0, format!("{} MB", bytes / 1_000_000));
            }
        }
        to.sync_all().await.named(&what)?;
        temporary.persist(file).map_err(|e| e.error).named(&what)?;
        task.end(format!("{} MB", bytes / 1_000_000));
        Ok(bytes)
    }

    /// Pushes it to its registry, with what `docker login` left.
    pub async fn push(&self, name: &str, events: &Events) -> Result<()> {
        let task = events.begin(format!("pushing {name}"), None);
        let (repository, tag) = name.rsplit_once(':').unwrap_or((name, "latest"));
        let options = PushImageOptionsBuilder::default().tag(tag).build();
        let mut stream = self
            .0
            .push_image(repository, Some(options), credentials::of(name))
            .boxed();
        let registry = credentials::registry(name);
        let fail = |why: String| {
            Error::server(format!("cannot push {name}: {}", why.trim())).hint(format!(
                "`docker login {registry}` where it wants a login; `image` under [bake] says where images go"
            ))
        };
        while let Some(info) = stream.next().await {
            let info = info.map_err(|failure| fail(image::reason(&failure)))?;
            if let Some(why) = info.error_detail.and_then(|detail| detail.message) {
                return Err(fail(why));
            }
            task.advance(0, info.status.unwrap_or_default());
        }
        task.end("");
        Ok(())
    }
}
