//! Data directories on this machine's disk that a container uses: they belong to the container's
//! user, so looking into them, emptying and moving them may need a container too.

use std::io;
use std::path::{Path, PathBuf};

use bollard::Docker;
use bollard::models::Mount;

use super::{helper, spec};
use crate::config::Config;
use crate::error::{Error, Named as _, Result};

/// What is in a folder or volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    Missing,
    Empty,
    Data {
        major: Option<u32>,
        system_identifier: Option<String>,
    },
    /// Something else; the name of one entry.
    Other(String),
}

/// Where a data directory may be below the place that is mounted, `PG_VERSION` being its mark.
/// The last one stands for `<major>/docker`, as PostgreSQL 18 images have it.
pub(crate) const CANDIDATES: [&str; 3] = ["", "data", "pgdata"];

/// Prints `empty`, `data <major> <system identifier>`, or `other <name>`.
const LOOK: &str = r#"
cd /target
if [ -z "$(ls -A)" ]; then echo empty; exit; fi
for f in PG_VERSION data/PG_VERSION pgdata/PG_VERSION */docker/PG_VERSION; do
  if [ -f "$f" ]; then
    id=$(od -An -tu8 -N8 "$(dirname "$f")/global/pg_control" 2>/dev/null | tr -d ' ') || true
    echo "data $(cat "$f") $id"; exit
  fi
done
echo "other $(ls -A | head -n 1)"
"#;

/// Looks into a folder, through a container of `image` where this user may not.
pub(crate) async fn look(
    docker: &Docker,
    config: &Config,
    image: &str,
    folder: &Path,
) -> Result<Content> {
    match look_directly(folder) {
        Ok(content) => Ok(content),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            let mount = spec::bind(&folder.to_string_lossy(), "/target");
            look_through(docker, config, image, mount).await
        }
        Err(e) => Err(e).named(format_args!("cannot look into {}", folder.display())),
    }
}

/// Looks into a mount through a container of `image`.
pub(crate) async fn look_through(
    docker: &Docker,
    config: &Config,
    image: &str,
    mount: Mount,
) -> Result<Content> {
    let output = helper::run(docker, config, image, vec![mount], LOOK, &[]).await?;
    let mut words = output.split_whitespace();
    Ok(match words.next() {
        Some("data") => Content::Data {
            major: words.next().and_then(|word| word.parse().ok()),
            system_identifier: words.next().map(String::from),
        },
        Some("other") => Content::Other(words.collect::<Vec<_>>().join(" ")),
        _ => Content::Empty,
    })
}

fn look_directly(folder: &Path) -> io::Result<Content> {
    let mut entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Content::Missing),
        Err(e) => return Err(e),
    };
    let Some(first) = entries.next().transpose()? else {
        return Ok(Content::Empty);
    };
    let mut places: Vec<PathBuf> = CANDIDATES.iter().map(|below| folder.join(below)).collect();
    for entry in std::fs::read_dir(folder)?.flatten() {
        places.push(entry.path().join("docker"));
    }
    for place in places {
        match std::fs::read_to_string(place.join("PG_VERSION")) {
            Ok(text) => {
                return Ok(Content::Data {
                    major: text.trim().parse().ok(),
                    system_identifier: system_identifier(&place)?,
                });
            }
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => return Err(e),
            Err(_) => {}
        }
    }
    Ok(Content::Other(
        first.file_name().to_string_lossy().into_owned(),
    ))
}

/// The first eight bytes of `pg_control`, in the machine's order.
fn system_identifier(data: &Path) -> io::Result<Option<String>> {
    match std::fs::read(data.join("global/pg_control")) {
        Ok(bytes) => Ok(bytes
            .first_chunk::<8>()
            .map(|eight| u64::from_ne_bytes(*eight).to_string())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Whether nothing is in it, as far as this user may know: a folder that is closed to him holds
/// the data of another.
pub(crate) fn is_vacant(folder: &Path) -> bool {
    matches!(look_directly(folder), Ok(Content::Missing | Content::Empty))
}

/// Makes the folder where it is missing, as this user: the engine would make it as root.
pub(crate) fn make(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).named(format_args!(
        "cannot make the data folder {}",
        folder.display()
    ))
}

/// Removes everything in the folder, which stays.
pub(crate) async fn empty(
    docker: &Docker,
    config: &Config,
    image: &str,
    folder: &Path,
) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    let mount = spec::bind(&folder.to_string_lossy(), "/target");
    helper::run(
        docker,
        config,
        image,
        vec![mount],
        "find /target -mindepth 1 -delete",
        &[],
    )
    .await
    .map_err(|e| e.context(format_args!("cannot empty {}", folder.display())))?;
    Ok(())
}

/// Removes the folder with everything in it.
pub(crate) async fn destroy(
    docker: &Docker,
    config: &Config,
    image: &str,
    folder: &Path,
) -> Result<()> {
    empty(docker, config, image, folder).await?;
    match std::fs::remove_dir(folder) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            in_parent(
                docker,
                config,
                image,
                folder,
                "rmdir -- \"/parent/$1\"",
                &[],
            )
            .await
        }
        Err(e) => Err(e).named(format_args!("cannot remove {}", folder.display())),
    }
}

/// Renames a folder beside itself: the parent decides who may, not the folder's owner.
pub(crate) async fn rename(
    docker: &Docker,
    config: &Config,
    image: &str,
    from: &Path,
    to: &Path,
) -> Result<()> {
    match std::fs::rename(from, to) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            let name = file_name(to)?;
            in_parent(
                docker,
                config,
                image,
                from,
                "mv -T -- \"/parent/$1\" \"/parent/$2\"",
                &[name],
            )
            .await
        }
        Err(e) => Err(e).named(format_args!(
            "cannot rename {} to {}",
            from.display(),
            to.display()
        )),
    }
}

async fn in_parent(
    docker: &Docker,
    config: &Config,
    image: &str,
    folder: &Path,
    script: &str,
    more: &[&str],
) -> Result<()> {
    let parent = folder.parent().unwrap_or(Path::new("/"));
    let mount = spec::bind(&parent.to_string_lossy(), "/parent");
    let mut arguments = vec![file_name(folder)?];
    arguments.extend(more);
    helper::run(docker, config, image, vec![mount], script, &arguments)
        .await
        .map(|_| ())
}

fn file_name(path: &Path) -> Result<&str> {
    path.file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| Error::failed(format!("{} has no usable name", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_recognised_by_what_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let look = |below: &str| look_directly(&dir.path().join(below)).unwrap();
        assert_eq!(look("missing"), Content::Missing);
        assert_eq!(look(""), Content::Empty);
        for (place, version) in [("a", "16"), ("b/18/docker", "18"), ("c/pgdata", "17")] {
            let data = dir.path().join(place);
            std::fs::create_dir_all(data.join("global")).unwrap();
            std::fs::write(data.join("PG_VERSION"), format!("{version}\n")).unwrap();
            std::fs::write(data.join("global/pg_control"), 77u64.to_ne_bytes()).unwrap();
            let top = place.split('/').next().unwrap();
            assert_eq!(
                look(top),
                Content::Data {
                    major: version.parse().ok(),
                    system_identifier: Some("77".into())
                }
            );
        }
        std::fs::create_dir(dir.path().join("d")).unwrap();
        std::fs::write(dir.path().join("d/notes.txt"), "").unwrap();
        assert_eq!(look("d"), Content::Other("notes.txt".into()));
    }
}
