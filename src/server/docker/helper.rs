//! Work on data that belongs to another uid: a short-lived container of the same image does it.

use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig, Mount};
use bollard::query_parameters::{CreateContainerOptions, StartContainerOptions};

use super::{container, engine, image, spec};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::owner;

/// Runs a shell script as root with `mounts`; gives what it printed.
///
/// # Errors
/// `Server` where it cannot run or exits with another code than 0; the detail is its output.
pub(crate) async fn run(
    docker: &Docker,
    config: &Config,
    image: &str,
    mounts: Vec<Mount>,
    script: &str,
    arguments: &[&str],
) -> Result<String> {
    // The image's own volumes would be made, filled and removed for nothing.
    let volumes = match image::find(docker, image).await? {
        Some(image) => image.volumes,
        None => Vec::new(),
    };
    let mut command = vec![script.to_string(), "sh".to_string()];
    command.extend(arguments.iter().map(ToString::to_string));
    let mut labels = spec::labels(config, "helper");
    if let Some(owner) = owner::this() {
        labels.insert(spec::OWNER.to_string(), owner);
    }
    let body = ContainerCreateBody {
        image: Some(image.to_string()),
        user: Some("0:0".into()),
        entrypoint: Some(vec!["/bin/sh".into(), "-euc".into()]),
        cmd: Some(command),
        labels: Some(labels),
        host_config: Some(HostConfig {
            mounts: Some(mounts),
            tmpfs: Some(
                volumes
                    .into_iter()
                    .map(|path| (path, String::new()))
                    .collect(),
            ),
            network_mode: Some("none".into()),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let made = engine::named(
        docker
            .create_container(None::<CreateContainerOptions>, body)
            .await,
        "cannot create a container to work on the data directory",
    )?;
    let outcome = finish(docker, &made.id).await;
    container::remove(docker, &made.id).await?;
    outcome
}

async fn finish(docker: &Docker, id: &str) -> Result<String> {
    const WHAT: &str = "cannot work on the data directory through a container";
    engine::named(
        docker
            .start_container(id, None::<StartContainerOptions>)
            .await,
        WHAT,
    )?;
    container::exited(docker, id).await;
    let mut output = String::new();
    container::logs(docker, id, false, None, None, |line| {
        output.push_str(line);
        output.push('\n');
    })
    .await?;
    let inspect = engine::named(docker.inspect_container(id, None).await, WHAT)?;
    match inspect.state.and_then(|state| state.exit_code) {
        Some(0) => Ok(output),
        code => {
            Err(Error::server(format!("{WHAT} (exit code {})", code.unwrap_or(-1))).detail(output))
        }
    }
}
