//! What a container is made from. Its labels keep that, so that a change is noticed.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerCreateBody, HostConfig, Mount, MountType, PortBinding, RestartPolicy,
    RestartPolicyNameEnum,
};

use super::image::Image;
use crate::config::{Config, Data};
use crate::server::settings;
use crate::server::spec::Spec;

pub(crate) const PROJECT: &str = "dev.devdb.project";
pub(crate) const ROOT: &str = "dev.devdb.root";
pub(crate) const SPEC: &str = "dev.devdb.spec";
pub(crate) const FIELDS: &str = "dev.devdb.spec.fields";
pub(crate) const MAJOR: &str = "dev.devdb.major";
pub(crate) const ROLE: &str = "dev.devdb.role";
/// The process that it goes with.
pub(crate) const OWNER: &str = "dev.devdb.owner";

/// Postgres puts parallel queries' shared memory into `/dev/shm`; Docker's 64 MB are too few.
const SHM_BYTES: i64 = 256 << 20;
/// Seconds that Postgres gets to shut down before it is killed.
pub(crate) const STOP_SECONDS: i32 = 30;

/// The labels that everything of one project carries.
pub(crate) fn labels(config: &Config, role: &str) -> HashMap<String, String> {
    let mut labels = HashMap::from([
        (PROJECT.to_string(), config.project.id.clone()),
        (
            ROOT.to_string(),
            config.project.root.to_string_lossy().into_owned(),
        ),
        (ROLE.to_string(), role.to_string()),
    ]);
    if let Some(owner) = &config.server.owner {
        labels.insert(OWNER.to_string(), owner.clone());
    }
    labels
}

/// Everything about a container that the configuration decides. `place` is the volume or folder
/// of its data.
pub(crate) fn of(config: &Config, port: u16, place: &str) -> Spec {
    let server = &config.server;
    let mut spec = Spec::of_server(config, port, place);
    spec.set("image", &server.image);
    for (name, value) in environment(config) {
        if name != "POSTGRES_PASSWORD" && name != "POSTGRES_USER" {
            spec.set_hidden(format!("environment {name}"), &value);
        }
    }
    if let (Some(_), Some(address)) = (&server.engine_host, &server.publish) {
        spec.set("publish", address);
    }
    for (here, there) in &server.mounts {
        spec.set(format!("mount {there}"), here.display());
    }
    if !server.command.is_empty() {
        spec.set("command", server.command.join(" "));
    }
    spec
}

/// From a container's labels; empty where another version of devdb made them.
pub(crate) fn of_labels(labels: &HashMap<String, String>) -> Spec {
    labels
        .get(FIELDS)
        .and_then(|text| Spec::from_json(text))
        .unwrap_or_default()
}

/// The container's environment: devdb's, with the configuration's own over it.
fn environment(config: &Config) -> BTreeMap<String, String> {
    let mut all = config.server.environment.clone();
    // The image accepts a value or a file with it, not both; devdb resolved these already.
    all.remove("POSTGRES_USER_FILE");
    all.remove("POSTGRES_PASSWORD_FILE");
    let mut set = |name: &str, value: String| all.insert(name.to_string(), value);
    set("POSTGRES_USER", config.database.user.clone());
    set("POSTGRES_PASSWORD", config.database.password.clone());
    if config.database.password.is_empty() {
        // The image refuses an empty password unless told that it is meant.
        set("POSTGRES_HOST_AUTH_METHOD", "trust".into());
    }
    // Without POSTGRES_DB the image makes a database named after the user. Init scripts expect
    // the project's database; where there are none, devdb makes that one itself.
    if !all.contains_key("POSTGRES_DB_FILE") {
        let database = match config.server.mounts.is_empty() {
            true => "postgres",
            false => &config.database.name,
        };
        all.entry("POSTGRES_DB".into())
            .or_insert_with(|| database.to_string());
    }
    // A server that does without fsync need not begin with it.
    let arguments = all.entry("POSTGRES_INITDB_ARGS".into()).or_default();
    *arguments = format!("--no-sync {arguments}").trim_end().to_string();
    all
}

/// The command line after the image's entry point.
pub(crate) fn command(config: &Config) -> Vec<String> {
    let server = &config.server;
    let ours = settings::arguments(&settings::merged(&server.settings));
    match server.command.split_first() {
        // Something that is not the server itself knows best what to run.
        Some((program, _)) if !program.starts_with('-') && !is_postgres(program) => {
            server.command.clone()
        }
        first => {
            let rest = match first {
                Some((program, rest)) if is_postgres(program) => rest,
                _ => &server.command,
            };
            // The last of several `-c name=` counts: a compose file's command gives way to
            // `[server] settings`, and devdb's own defaults to both.
            let defaults = settings::arguments(&settings::merged(&BTreeMap::new()));
            let mut all = vec!["postgres".to_string()];
            all.extend(defaults);
            all.extend(rest.iter().cloned());
            if rest.is_empty() {
                all.truncate(1);
                all.extend(ours);
            } else {
                all.extend(settings::arguments(&server.settings));
            }
            all
        }
    }
}

fn is_postgres(program: &str) -> bool {
    program.rsplit('/').next() == Some("postgres")
}

/// What the engine is asked to create.
pub(crate) fn body(
    config: &Config,
    image: &Image,
    spec: &Spec,
    (address, port): (&str, u16),
    place: &str,
) -> ContainerCreateBody {
    let mut labels = labels(config, "server");
    labels.insert(SPEC.into(), spec.hash());
    labels.insert(FIELDS.into(), spec.json());
    if let Some(major) = image.major() {
        labels.insert(MAJOR.into(), major.to_string());
    }
    let (target, _) = image.data_path(&config.server.environment);
    let mut mounts: Vec<Mount> = config
        .server
        .mounts
        .iter()
        .map(|(here, there)| Mount {
            typ: Some(MountType::BIND),
            source: Some(here.to_string_lossy().into_owned()),
            target: Some(there.clone()),
            read_only: Some(true),
            ..Mount::default()
        })
        .collect();
    let mut tmpfs = None;
    match &config.server.data {
        Data::Volume => mounts.push(volume(place, &target)),
        Data::Folder(_) => mounts.push(bind(place, &target)),
        Data::Tmpfs => tmpfs = Some(HashMap::from([(target, "rw".to_string())])),
        Data::Image => {}
    }
    ContainerCreateBody {
        image: Some(image.name.clone()),
        env: Some(
            environment(config)
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect(),
        ),
        cmd: Some(command(config)),
        labels: Some(labels),
        exposed_ports: Some(vec!["5432/tcp".into()]),
        host_config: Some(HostConfig {
            mounts: Some(mounts),
            tmpfs,
            shm_size: Some(SHM_BYTES),
            port_bindings: Some(HashMap::from([(
                "5432/tcp".to_string(),
                Some(vec![PortBinding {
                    host_ip: Some(address.to_owned()),
                    host_port: Some(port.to_string()),
                }]),
            )])),
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::NO),
                ..RestartPolicy::default()
            }),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

pub(crate) fn volume(name: &str, target: &str) -> Mount {
    Mount {
        typ: Some(MountType::VOLUME),
        source: Some(name.to_string()),
        target: Some(target.to_string()),
        ..Mount::default()
    }
}

pub(crate) fn bind(folder: &str, target: &str) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(folder.to_string()),
        target: Some(target.to_string()),
        ..Mount::default()
    }
}
