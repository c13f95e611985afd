//! The one container of a project: found, created, started, stopped, removed, read.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::models::{ContainerCreateBody, ContainerStateStatusEnum};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
    ListVolumesOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
    RemoveVolumeOptions, StartContainerOptions, StopContainerOptionsBuilder,
    WaitContainerOptionsBuilder,
};
use futures_util::StreamExt as _;
use jiff::Timestamp;

use super::spec;
use super::{engine, orphan};
use crate::error::{Error, Result};
use crate::owner;
use crate::server::spec::Spec;

/// How long the engine may take to remove a container that somebody else told it to remove, or what
/// an engine before it left running.
const REMOVAL_LIMIT: Duration = Duration::from_secs(30);
/// How long what watched over a container's processes may take to go after them.
const LEAVING_LIMIT: Duration = Duration::from_secs(5);

/// A container that carries the project's labels.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub labels: HashMap<String, String>,
    pub spec: Spec,
    pub image: String,
    pub running: bool,
    pub paused: bool,
    /// The engine is removing it.
    leaving: bool,
    pub exit_code: i64,
    pub started: Option<Timestamp>,
    /// The volume or folder that its data is in; `None` for tmpfs.
    pub data: Option<String>,
}

impl Found {
    pub fn port(&self) -> Option<u16> {
        self.spec.get("port").and_then(|text| text.parse().ok())
    }

    pub fn is_tmpfs(&self) -> bool {
        self.spec.get("data") == Some("tmpfs")
    }

    pub fn major(&self) -> Option<u32> {
        self.labels.get(spec::MAJOR).and_then(|m| m.parse().ok())
    }
}

/// The project's container, if there is one.
///
/// # Errors
/// `Refused` where the name belongs to a container that devdb did not make for this project.
pub(crate) async fn find(docker: &Docker, name: &str, project: &str) -> Result<Option<Found>> {
    let until = Instant::now() + REMOVAL_LIMIT;
    loop {
        let found = look(docker, name, project).await?;
        if !found.as_ref().is_some_and(|found| found.leaving) {
            return Ok(found);
        }
        if Instant::now() >= until {
            return Err(Error::server(format!(
                "the engine does not finish removing container {name}"
            ))
            .hint("restart the Docker engine"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn look(docker: &Docker, name: &str, project: &str) -> Result<Option<Found>> {
    let inspect = match docker
        .inspect_container(name, None::<InspectContainerOptions>)
        .await
    {
        Ok(inspect) => inspect,
        Err(failure) if engine::is_missing(&failure) => return Ok(None),
        Err(failure) => {
            return engine::named(
                Err(failure),
                format_args!("cannot look at container {name}"),
            );
        }
    };
    let config = inspect.config.unwrap_or_default();
    let labels = config.labels.unwrap_or_default();
    let image = config.image.unwrap_or_default();
    if labels.get(spec::PROJECT).map(String::as_str) != Some(project) {
        return Err(Error::refused(format!(
            "the name {name} belongs to a container (image {image}) that devdb did not make"
        ))
        .hint(format!(
            "rename it (`docker rename {name} other-name`) or give the project another `name`"
        )));
    }
    let state = inspect.state.unwrap_or_default();
    let spec = spec::of_labels(&labels);
    let data = spec.get("data").filter(|d| *d != "tmpfs").map(String::from);
    Ok(Some(Found {
        labels,
        spec,
        image,
        running: state.running.unwrap_or_default(),
        paused: state.status == Some(ContainerStateStatusEnum::PAUSED),
        leaving: state.status == Some(ContainerStateStatusEnum::REMOVING),
        exit_code: state.exit_code.unwrap_or_default(),
        started: state
            .started_at
            .and_then(|text| text.parse::<Timestamp>().ok())
            // A container that never ran started in the year 1.
            .filter(|at| at.as_second() > 0),
        data,
    }))
}

/// What came of asking for a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Created {
    Done,
    /// Another process made one of this name at the same moment.
    NameTaken,
}

pub(crate) async fn create(
    docker: &Docker,
    name: &str,
    body: ContainerCreateBody,
) -> Result<Created> {
    let options = CreateContainerOptionsBuilder::default().name(name).build();
    match docker.create_container(Some(options), body).await {
        Ok(_) => Ok(Created::Done),
        Err(failure) if matches!(engine::answer(&failure), Some((409, _))) => {
            Ok(Created::NameTaken)
        }
        Err(failure) => engine::named(Err(failure), format_args!("cannot create container {name}")),
    }
}

/// What came of starting a container.
pub(crate) enum Started {
    Done,
    /// Somebody else has the port.
    PortTaken,
    /// It is on its way out, or out: make it again.
    Gone,
}

pub(crate) async fn start(docker: &Docker, found: &Found, name: &str) -> Result<Started> {
    let begun = Instant::now();
    let result = loop {
        let result = if found.paused {
            docker.unpause_container(name).await
        } else {
            docker
                .start_container(name, None::<StartContainerOptions>)
                .await
        };
        match result {
            // An engine that was killed ends what ran under it when it comes back, unless it does not
            // know that it does. Until then a second server on that data must not begin.
            Err(failure)
                if says(&failure, "id already in use") && begun.elapsed() < REMOVAL_LIMIT
                    || says_it_began(&failure) && begun.elapsed() < LEAVING_LIMIT =>
            {
                orphan::end(docker, name).await;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            result => break result,
        }
    };
    match result {
        Ok(()) => Ok(Started::Done),
        Err(failure) if says_port_taken(&failure) => Ok(Started::PortTaken),
        Err(failure) if engine::is_missing(&failure) => Ok(Started::Gone),
        Err(failure) if says(&failure, "marked for removal") => Ok(Started::Gone),
        Err(failure) if says_it_began(&failure) => Ok(Started::Gone),
        Err(failure) => engine::named(Err(failure), format_args!("cannot start container {name}")),
    }
}

fn says(failure: &bollard::errors::Error, text: &str) -> bool {
    engine::answer(failure).is_some_and(|(_, message)| message.contains(text))
}

/// An engine that was killed while it made the container's first process keeps what was to watch
/// over it, which never had one, and starts nothing under that id any more. (containerd 1.6, which
/// takes such a shim for a task when it loads them.)
fn says_it_began(failure: &bollard::errors::Error) -> bool {
    says(failure, "task ") && says(failure, "already exists")
}

fn says_port_taken(failure: &bollard::errors::Error) -> bool {
    says(failure, "port is already allocated")
        || says(failure, "address already in use")
        || says(failure, "ports are not available")
}

/// Stops it as its image wants to be stopped, and kills it after so many seconds; one that is
/// gone or stopped is fine.
pub(crate) async fn stop(docker: &Docker, name: &str, seconds: i32) -> Result<()> {
    let options = StopContainerOptionsBuilder::default().t(seconds).build();
    engine::gone(
        docker.stop_container(name, Some(options)).await,
        format_args!("cannot stop container {name}"),
    )
}

/// Removes it, running or not, with its anonymous volumes; one that is gone is fine. Returns when
/// its name is free, also where a devdb that was killed had begun the removal.
pub(crate) async fn remove(docker: &Docker, name: &str) -> Result<()> {
    // Its data may be another container's next.
    orphan::end(docker, name).await;
    let until = Instant::now() + REMOVAL_LIMIT;
    loop {
        let options = RemoveContainerOptionsBuilder::default()
            .force(true)
            .v(true)
            .build();
        match docker.remove_container(name, Some(options)).await {
            Err(failure) if says(&failure, "already in progress") && Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            result => {
                return engine::gone(result, format_args!("cannot remove container {name}"));
            }
        }
    }
}

/// Returns when the container runs no more.
pub(crate) async fn exited(docker: &Docker, name: &str) {
    loop {
        let options = WaitContainerOptionsBuilder::default()
            .condition("not-running")
            .build();
        let answer = docker.wait_container(name, Some(options)).next().await;
        match answer {
            // An exit code other than 0 comes as an error too.
            Some(Ok(_) | Err(bollard::errors::Error::DockerContainerWaitError { .. })) => return,
            Some(Err(failure)) if engine::is_missing(&failure) => return,
            // The connection to the engine was cut: ask again.
            Some(Err(_)) | None => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

/// Reads the log line by line: the `tail` last lines, or all since a time, and on as it grows.
pub(crate) async fn logs(
    docker: &Docker,
    name: &str,
    follow: bool,
    tail: Option<u32>,
    since: Option<Timestamp>,
    mut each: impl FnMut(&str),
) -> Result<()> {
    let since = since.map_or(0, |at| i32::try_from(at.as_second()).unwrap_or(0));
    let options = LogsOptionsBuilder::default()
        .follow(follow)
        .stdout(true)
        .stderr(true)
        .since(since)
        .tail(&tail.map_or("all".to_string(), |n| n.to_string()))
        .build();
    let mut stream = docker.logs(name, Some(options)).boxed();
    // Frames need not end where lines end; each of the two streams has its own unfinished line.
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(frame) = stream.next().await {
        let frame = engine::named(frame, format_args!("cannot read the log of {name}"))?;
        let rest = match frame {
            LogOutput::StdErr { .. } => &mut err,
            _ => &mut out,
        };
        rest.extend_from_slice(&frame.into_bytes());
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            each(String::from_utf8_lossy(&line).trim_end());
        }
    }
    for rest in [out, err] {
        if !rest.is_empty() {
            each(String::from_utf8_lossy(&rest).trim_end());
        }
    }
    Ok(())
}

/// The name and image of the container that publishes this port.
pub(crate) async fn publisher(docker: &Docker, port: u16) -> Option<String> {
    let filters = HashMap::from([("publish".to_string(), vec![port.to_string()])]);
    let options = ListContainersOptionsBuilder::default()
        .filters(&filters)
        .build();
    let found = docker.list_containers(Some(options)).await.ok()?;
    let container = found.into_iter().next()?;
    let name = container.names.unwrap_or_default().into_iter().next()?;
    Some(format!(
        "container {} (image {})",
        name.trim_start_matches('/'),
        container.image.unwrap_or_default()
    ))
}

/// Removes the short-lived containers of a devdb that was killed, at work or not: whoever calls
/// this holds the project's lock.
pub(crate) async fn sweep_helpers(docker: &Docker, project: &str) -> Result<()> {
    let filters = HashMap::from([(
        "label".to_string(),
        vec![
            format!("{}={project}", spec::PROJECT),
            format!("{}=helper", spec::ROLE),
        ],
    )]);
    let options = ListContainersOptionsBuilder::default()
        .all(true)
        .filters(&filters)
        .build();
    let left = engine::named(
        docker.list_containers(Some(options)).await,
        "cannot list containers",
    )?;
    for container in left {
        if let Some(id) = container.id {
            remove(docker, &id).await?;
        }
    }
    Ok(())
}

/// Removes containers and volumes whose owner is dead, of whatever project. What cannot be removed
/// now is tried again next time.
pub(crate) async fn sweep_ownerless(docker: &Docker) -> Result<()> {
    let filters = HashMap::from([("label".to_string(), vec![spec::OWNER.to_string()])]);
    let is_dead = |labels: &HashMap<String, String>| {
        labels
            .get(spec::OWNER)
            .is_some_and(|owner| owner::is_dead(owner))
    };
    let options = ListContainersOptionsBuilder::default()
        .all(true)
        .filters(&filters)
        .build();
    let containers = docker.list_containers(Some(options)).await;
    for container in engine::named(containers, "cannot list containers")? {
        if container.labels.as_ref().is_some_and(is_dead)
            && let Some(id) = container.id
        {
            remove(docker, &id).await?;
        }
    }
    let options = ListVolumesOptionsBuilder::default()
        .filters(&filters)
        .build();
    let volumes = docker.list_volumes(Some(options)).await;
    let volumes = engine::named(volumes, "cannot list volumes")?;
    for volume in volumes.volumes.unwrap_or_default() {
        if is_dead(&volume.labels) {
            let removed = docker.remove_volume(&volume.name, None::<RemoveVolumeOptions>);
            engine::gone(
                removed.await,
                format_args!("cannot remove volume {}", volume.name),
            )?;
        }
    }
    Ok(())
}
