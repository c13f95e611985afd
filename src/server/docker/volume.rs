//! Volumes that carry the project's labels.

use std::collections::HashMap;

use bollard::Docker;
use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::{ListVolumesOptionsBuilder, RemoveVolumeOptions};

use super::{engine, spec};
use crate::config::Config;
use crate::error::{Error, Result};

/// A volume of this project.
#[derive(Debug, Clone)]
pub(crate) struct Volume {
    pub name: String,
    /// The label; `None` where the image did not tell its version.
    pub major: Option<u32>,
}

pub(crate) fn name(config: &Config, generation: u32) -> String {
    format!("devdb-{}-{generation}", config.project.id)
}

/// The generation in a volume's name.
pub(crate) fn generation(config: &Config, name: &str) -> Option<u32> {
    name.strip_prefix(&format!("devdb-{}-", config.project.id))?
        .parse()
        .ok()
}

/// The volume of this name.
///
/// # Errors
/// `Refused` where it is not this project's.
pub(crate) async fn find(docker: &Docker, config: &Config, name: &str) -> Result<Option<Volume>> {
    let found = match docker.inspect_volume(name).await {
        Ok(found) => found,
        Err(failure) if engine::is_missing(&failure) => return Ok(None),
        Err(failure) => {
            return engine::named(Err(failure), format_args!("cannot look at volume {name}"));
        }
    };
    if found.labels.get(spec::PROJECT) != Some(&config.project.id) {
        return Err(Error::refused(format!(
            "devdb did not make the volume {name} for this project"
        ))
        .hint("rename or remove it, or give the project another `name`"));
    }
    Ok(Some(Volume {
        major: found.labels.get(spec::MAJOR).and_then(|m| m.parse().ok()),
        name: found.name,
    }))
}

/// All volumes of this project, the newest generation last.
pub(crate) async fn all(docker: &Docker, config: &Config) -> Result<Vec<Volume>> {
    let filters = HashMap::from([(
        "label".to_string(),
        vec![format!("{}={}", spec::PROJECT, config.project.id)],
    )]);
    let options = ListVolumesOptionsBuilder::default()
        .filters(&filters)
        .build();
    let listed = engine::named(
        docker.list_volumes(Some(options)).await,
        "cannot list volumes",
    )?;
    let mut volumes: Vec<Volume> = listed
        .volumes
        .unwrap_or_default()
        .into_iter()
        .map(|volume| Volume {
            major: volume.labels.get(spec::MAJOR).and_then(|m| m.parse().ok()),
            name: volume.name,
        })
        .collect();
    volumes.sort_by_key(|volume| generation(config, &volume.name));
    Ok(volumes)
}

pub(crate) async fn create(
    docker: &Docker,
    config: &Config,
    name: &str,
    major: Option<u32>,
) -> Result<()> {
    let mut labels = spec::labels(config, "data");
    if let Some(major) = major {
        labels.insert(spec::MAJOR.into(), major.to_string());
    }
    let request = VolumeCreateRequest {
        name: Some(name.to_string()),
        labels: Some(labels),
        ..VolumeCreateRequest::default()
    };
    engine::named(
        docker.create_volume(request).await,
        format_args!("cannot create volume {name}"),
    )?;
    Ok(())
}

/// Destroys a volume of this project; one that is gone is fine.
///
/// # Errors
/// `Refused` where it is not this project's.
pub(crate) async fn destroy(docker: &Docker, config: &Config, name: &str) -> Result<()> {
    if find(docker, config, name).await?.is_none() {
        return Ok(());
    }
    engine::gone(
        docker
            .remove_volume(name, None::<RemoveVolumeOptions>)
            .await,
        format_args!("cannot remove volume {name}"),
    )
}
