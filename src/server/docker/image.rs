//! Images: found here, pulled where missing, and what they say about their data directory.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as Failure;
use bollard::models::ImageInspect;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt as _;

use super::{credentials, engine};
use crate::error::{Error, Result};
use crate::event::Events;

/// The image that a configuration names where it names none.
pub(crate) const DEFAULT: &str = "pgvector/pgvector:pg17";
/// What `compose/build.sh` makes of Debian packages; stands in for [`DEFAULT`].
pub(crate) const BUILT: &str = "devdb/pgvector:pg17";

/// A registry that says nothing for this long is not there.
const SILENCE_BEFORE_FIRST: Duration = Duration::from_secs(10);
const SILENCE_LATER: Duration = Duration::from_secs(120);

/// An image that is present.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Image {
    /// The name to create containers by.
    pub name: String,
    pub env: BTreeMap<String, String>,
    pub volumes: Vec<String>,
}

impl Image {
    /// The major version of Postgres, where the image tells.
    pub fn major(&self) -> Option<u32> {
        ["PG_MAJOR", "PG_VERSION"].iter().find_map(|name| {
            let text = self.env.get(*name)?;
            text.split(|c: char| !c.is_ascii_digit())
                .next()?
                .parse()
                .ok()
        })
    }

    /// Where to mount the data: the declared volume that `PGDATA` is in, else `PGDATA` itself.
    /// PostgreSQL 18 images keep it in `/var/lib/postgresql/18/docker` and declare
    /// `/var/lib/postgresql`. The second part is the way from the mount to the data directory.
    pub fn data_path(&self, environment: &BTreeMap<String, String>) -> (String, String) {
        let data = environment
            .get("PGDATA")
            .or_else(|| self.env.get("PGDATA"))
            .map_or("/var/lib/postgresql/data", |path| {
                path.trim_end_matches('/')
            });
        let mount = self
            .volumes
            .iter()
            .map(|volume| volume.trim_end_matches('/'))
            .filter(|volume| data == *volume || data.starts_with(&format!("{volume}/")))
            .max_by_key(|volume| volume.len())
            .unwrap_or(data);
        let below = data[mount.len()..].trim_start_matches('/');
        (mount.to_string(), below.to_string())
    }
}

impl From<(String, ImageInspect)> for Image {
    fn from((name, inspect): (String, ImageInspect)) -> Self {
        let config = inspect.config.unwrap_or_default();
        Image {
            name,
            env: config
                .env
                .unwrap_or_default()
                .iter()
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            volumes: config.volumes.unwrap_or_default(),
        }
    }
}

/// The image of this name, if it is here.
pub(crate) async fn find(docker: &Docker, name: &str) -> Result<Option<Image>> {
    match docker.inspect_image(name).await {
        Ok(inspect) => Ok(Some(Image::from((name.to_string(), inspect)))),
        Err(failure) if engine::is_missing(&failure) => Ok(None),
        Err(failure) => engine::named(Err(failure), format_args!("cannot look at image {name}")),
    }
}

/// The image that stands for this name here, without asking a registry.
pub(crate) async fn present(docker: &Docker, name: &str) -> Result<Option<Image>> {
    match find(docker, name).await? {
        None if name == DEFAULT => find(docker, BUILT).await,
        found => Ok(found),
    }
}

/// The image of this name: as it is here, else pulled, else (for the default one) the one that
/// `compose/build.sh` made.
///
/// # Errors
/// `Server`, naming the image and the way to get it.
pub(crate) async fn get(docker: &Docker, name: &str, events: &Events) -> Result<Image> {
    if let Some(image) = find(docker, name).await? {
        return Ok(image);
    }
    // The stand-in is made where no registry answers: asking one first would cost ten seconds
    // at every start.
    if name == DEFAULT
        && let Some(image) = find(docker, BUILT).await?
    {
        events.detail(format!(
            "image {DEFAULT} is not here; using {BUILT} in its place"
        ));
        return Ok(image);
    }
    if let Err(why) = pull(docker, name, events).await {
        let build = match name {
            DEFAULT => "or build its stand-in from Debian packages: `compose/build.sh`".to_string(),
            _ => format!(
                "or build {BUILT} from Debian packages (`compose/build.sh`) and set that as `image`"
            ),
        };
        return Err(Error::server(format!(
            "image {name} is not here and cannot be pulled: {why}"
        ))
        .hint(format!(
            "`docker pull {name}` where a registry answers, {build}"
        )));
    }
    find(docker, name).await?.ok_or_else(|| {
        Error::server(format!(
            "image {name} is not here although it was pulled just now"
        ))
    })
}

async fn pull(docker: &Docker, name: &str, events: &Events) -> Result<(), String> {
    let task = events.begin(format!("pulling {name}"), None);
    let options = CreateImageOptionsBuilder::default().from_image(name);
    // Without a tag the engine would pull every tag there is.
    let options = if has_tag(name) {
        options
    } else {
        options.tag("latest")
    };
    let mut stream = docker
        .create_image(Some(options.build()), None, credentials::of(name))
        .boxed();
    let mut layers: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    let mut patience = SILENCE_BEFORE_FIRST;
    loop {
        let item = tokio::time::timeout(patience, stream.next())
            .await
            .map_err(|_| format!("no registry answered within {} s", patience.as_secs()))?;
        let info = match item {
            None => break,
            Some(Ok(info)) => info,
            Some(Err(failure)) => return Err(reason(&failure)),
        };
        patience = SILENCE_LATER;
        if let (Some(layer), Some(progress)) = (info.id, info.progress_detail)
            && let (Some(current), Some(total)) = (progress.current, progress.total)
        {
            layers.insert(layer, (current, total));
        }
        let (done, all) = layers
            .values()
            .fold((0, 0), |(done, all), (d, a)| (done + d, all + a));
        task.advance(
            done.unsigned_abs(),
            match all {
                0 => info.status.unwrap_or_default(),
                _ => format!("{} of {} MB", done / 1_000_000, all / 1_000_000),
            },
        );
    }
    task.end("");
    Ok(())
}

fn has_tag(name: &str) -> bool {
    name.contains('@')
        || name
            .rsplit('/')
            .next()
            .is_some_and(|last| last.contains(':'))
}

pub(crate) fn reason(failure: &Failure) -> String {
    match (engine::answer(failure), failure) {
        (Some((_, message)), _) => message.trim().to_string(),
        (None, Failure::DockerStreamError { error }) => error.clone(),
        (None, other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(env: &[(&str, &str)], volumes: &[&str]) -> Image {
        Image {
            name: "x".into(),
            env: env
                .iter()
                .map(|(n, v)| (n.to_string(), v.to_string()))
                .collect(),
            volumes: volumes.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn data_is_mounted_where_the_image_declares_its_volume() {
        let none = BTreeMap::new();
        let pg17 = image(
            &[("PG_MAJOR", "17"), ("PGDATA", "/var/lib/postgresql/data")],
            &["/var/lib/postgresql/data"],
        );
        assert_eq!(pg17.major(), Some(17));
        assert_eq!(
            pg17.data_path(&none),
            ("/var/lib/postgresql/data".into(), String::new())
        );
        let pg18 = image(
            &[
                ("PG_VERSION", "18.1-1.pgdg13+2"),
                ("PGDATA", "/var/lib/postgresql/18/docker"),
            ],
            &["/var/lib/postgresql"],
        );
        assert_eq!(pg18.major(), Some(18));
        assert_eq!(
            pg18.data_path(&none),
            ("/var/lib/postgresql".into(), "18/docker".into())
        );
        let below = BTreeMap::from([(
            "PGDATA".to_string(),
            "/var/lib/postgresql/data/pgdata".to_string(),
        )]);
        assert_eq!(
            pg17.data_path(&below),
            ("/var/lib/postgresql/data".into(), "pgdata".into())
        );
        let elsewhere = BTreeMap::from([("PGDATA".to_string(), "/pg".to_string())]);
        assert_eq!(pg17.data_path(&elsewhere), ("/pg".into(), String::new()));
    }

    #[test]
    fn a_tag_is_told_from_a_registry_port() {
        assert!(has_tag("pgvector/pgvector:pg17"));
        assert!(!has_tag("localhost:5000/postgres"));
        assert!(has_tag("postgres@sha256:0"));
    }
}
