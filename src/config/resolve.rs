//! From layers to plain settings: defaults filled in, paths made absolute, contradictions refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::compose;
use super::contradictions::refuse_contradictions;
use super::detect;
use super::layers::{Layers, Origin, Value, from_text};
use super::model::*;
use super::project::{self, Places};
use super::settings::{self, SETTINGS};
use super::{Loaded, Surroundings, file, typed};
use crate::error::{Error, Named, Result};

/// The image that devdb takes where nothing else is said.
pub const DEFAULT_IMAGE: &str = "pgvector/pgvector:pg17";

/// Reads everything and gives the settings with their origins.
///
/// # Errors
/// `Usage`: a file that cannot be read, unknown keys, wrong types, contradictions, each with its
/// place and a suggestion.
pub fn load(surroundings: &Surroundings) -> Result<Loaded> {
    let mut layers = Layers::default();
    let mut found = Vec::new();
    let (root, toml) = match &surroundings.file {
        Some(file) if !file.is_file() => {
            return Err(Error::usage(format!("there is no {}", file.display()))
                .hint("leave out --config to have devdb look for devdb.toml upwards from here"));
        }
        Some(file) => (
            file.parent().unwrap_or(Path::new(".")).to_owned(),
            Some(file.clone()),
        ),
        None => {
            let root = project::find_root(&surroundings.folder);
            let file = root.join("devdb.toml");
            (root, file.exists().then_some(file))
        }
    };
    if let Some(path) = &toml {
        let text =
            std::fs::read_to_string(path).named(format_args!("cannot read {}", path.display()))?;
        file::read(path, &text, &mut layers)?;
    }
    let env_file = read_env_file(&root.join(".env"))?;
    let mut variables = env_file.clone();
    variables.extend(surroundings.environment.clone());

    from_variables(&env_file, &mut layers, Origin::EnvFile)?;
    from_variables(&surroundings.environment, &mut layers, Origin::Environment)?;
    for (key, value, flag) in &surroundings.flags {
        let setting = settings::find(key).expect("flags carry keys of the list");
        let origin = Origin::Flag(flag.clone());
        let value = from_text(setting, value, &origin)?;
        layers.put(key, value, origin);
    }
    for name in unknown_variables(&surroundings.environment, &env_file) {
        let near = settings::nearest(
            &name,
            SETTINGS
                .iter()
                .filter_map(settings::variable)
                .collect::<Vec<_>>()
                .iter()
                .map(String::as_str),
        )
        .map(|near| format!(": did you mean {near}?"))
        .unwrap_or_default();
        found.push(format!("no setting is called {name}{near}"));
    }

    let written: Vec<&str> = layers.iter().map(|(key, _)| key).collect();
    let service = compose_service(&root, &variables, toml.is_some(), &mut layers)?;
    let mut with_detection = layers.clone();
    detect::migrations(&root, &mut with_detection);
    detect::wanted_schema(&root, &mut with_detection);
    if toml.is_none() {
        detect::urls(&env_file, &mut with_detection);
    }
    detect::driver(&root, &mut with_detection);
    for (key, entry) in with_detection.iter() {
        if let Origin::Detected(what) = &entry.origin
            && !written.contains(&key)
            && !matches!(
                key,
                "migrations.dir" | "database.password" | "database.user"
            )
        {
            found.push(format!("{key} = {} ({what})", entry.value));
        }
    }
    let mut layers = with_detection;

    let places = Places {
        state_home: surroundings.variable("DEVDB_STATE_DIR"),
        xdg_state_home: surroundings.variable("XDG_STATE_HOME"),
        home: surroundings.variable("HOME"),
        is_root: nix::unistd::geteuid().is_root(),
    };
    let folder_name = root.file_name().unwrap_or(root.as_os_str());
    layers.put_missing(
        "name",
        Value::Text(folder_name.to_string_lossy().into_owned()),
        Origin::Detected("the folder's name".into()),
    );
    let name = layers.text("name").unwrap_or("project").to_owned();
    let project = project::identify(&root, &name, &places);
    defaults(&project, &mut layers);
    refuse_contradictions(&layers)?;

    let server = typed::server(&root, &layers, service.as_ref(), surroundings)?;
    let database = typed::database(&root, &layers)?;
    let migrations = typed::migrations(&root, &layers, &variables)?;
    let roles = typed::roles(&layers)?;
    let env = typed::env(&layers, &roles)?;
    let mut skipped = Vec::new();
    if let Some(service) = &service {
        skipped.extend(
            service
                .skipped
                .iter()
                .map(|what| format!("compose service {}: {what} is not used", service.name)),
        );
    }
    Ok(Loaded {
        config: Config {
            project,
            server,
            database,
            migrations,
            roles,
            baked: typed::baked(&layers)?,
            sqlite: layers.map("sqlite"),
            drift_ignore: layers.list("drift.ignore"),
            env,
        },
        layers,
        file: toml,
        found,
        skipped,
        virtual_env: surroundings.variable("VIRTUAL_ENV").map(PathBuf::from),
    })
}

/// `.env` as a map; nothing of it reaches this process's environment.
fn read_env_file(path: &Path) -> Result<BTreeMap<String, String>> {
    if !path.is_file() {
        return Ok(BTreeMap::new());
    }
    let bad = |e: dotenvy::Error| {
        Error::usage(format!("cannot read {}: {e}", path.display()))
            .hint("each line is NAME=value; put quotes around a value with spaces")
    };
    dotenvy::from_path_iter(path)
        .map_err(bad)?
        .map(|pair| pair.map_err(bad))
        .collect()
}

fn from_variables(
    variables: &BTreeMap<String, String>,
    layers: &mut Layers,
    origin: fn(String) -> Origin,
) -> Result<()> {
    for setting in SETTINGS {
        let Some(name) = settings::variable(setting) else {
            continue;
        };
        if let Some(text) = variables.get(&name).filter(|text| !text.is_empty()) {
            let origin = origin(name);
            let value = from_text(setting, text, &origin)?;
            layers.put(setting.key, value, origin);
        }
    }
    Ok(())
}

/// `DEVDB_SERVER_PROT` and the like: variables of our tables that no setting reads.
fn unknown_variables(
    environment: &BTreeMap<String, String>,
    env_file: &BTreeMap<String, String>,
) -> Vec<String> {
    let known: Vec<String> = SETTINGS.iter().filter_map(settings::variable).collect();
    let mut names: Vec<String> = environment
        .keys()
        .chain(env_file.keys())
        .filter(|name| {
            ["DEVDB_SERVER_", "DEVDB_DATABASE_", "DEVDB_MIGRATIONS_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
                && !known.contains(name)
        })
        .cloned()
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Reads the service that is named, or the only Postgres of a compose file where nothing about the
/// server is written, and puts what it says under what was written.
fn compose_service(
    root: &Path,
    variables: &BTreeMap<String, String>,
    has_file: bool,
    layers: &mut Layers,
) -> Result<Option<compose::Service>> {
    let (file, service) = match layers.text("server.compose") {
        Some(place) => {
            let (file, name) = place.rsplit_once(':').ok_or_else(|| {
                Error::usage(format!(
                    "{}: server.compose = {place:?} names no service",
                    layers.origin("server.compose").unwrap_or(&Origin::Default)
                ))
                .hint("write it as \"compose.yaml:service\"")
            })?;
            let file = root.join(file);
            let service = compose::service(&file, name, variables)?;
            (file, service)
        }
        // Who wrote a devdb.toml without the service did not mean it.
        None if has_file
            || layers
                .iter()
                .any(|(key, e)| key.starts_with("server.") && e.origin.is_written()) =>
        {
            return Ok(None);
        }
        None => match detect::compose_service(root, variables)? {
            Some(found) => found,
            None => return Ok(None),
        },
    };
    let place = file
        .file_name()
        .unwrap_or(file.as_os_str())
        .to_string_lossy();
    let origin = Origin::Detected(format!("{place}: service {}", service.name));
    let mut put = |key: &str, value: Value| layers.put_missing(key, value, origin.clone());
    let text = |text: &String| Value::Text(text.clone());
    put(
        "server.compose",
        Value::Text(format!("{place}:{}", service.name)),
    );
    if let Some(image) = &service.image {
        put("server.image", text(image));
    }
    if let Some(port) = service.port {
        put("server.port", Value::Number(port.into()));
    }
    let user = service.user.clone().unwrap_or_else(|| "postgres".into());
    // The official image names the database after the user where nothing is said.
    // Without a name the image takes the user's, and `postgres` is the server's own database.
    let name = service.database.as_ref().unwrap_or(&user);
    if name != "postgres" {
        put("database.name", text(name));
    }
    if let Some(password) = &service.password {
        put("database.password", text(password));
    }
    put("database.user", Value::Text(user));
    match &service.data {
        Some(Some(folder)) => put("server.data", Value::Text(folder.display().to_string())),
        Some(None) => put("server.data", Value::Text("tmpfs".into())),
        None => {}
    }
    Ok(Some(service))
}

fn defaults(project: &Project, layers: &mut Layers) {
    let text = |text: &str| Value::Text(text.to_owned());
    let mut put = |key: &str, value: Value| layers.put_missing(key, value, Origin::Default);
    put("server.kind", text("auto"));
    put("server.image", text(DEFAULT_IMAGE));
    put("server.port", text("auto"));
    put("server.data", text("volume"));
    put("server.wait", Value::Number(60));
    put("database.name", text(&project.name.replace('-', "_")));
    put("database.user", text("postgres"));
    put("database.password", text("postgres"));
    put("bake.image", Value::Text(format!("devdb/{}", project.name)));
    put(
        "env",
        Value::Map(vec![(DEFAULT_VARIABLE.into(), "postgresql".into())]),
    );
    if let Some(tool) = layers.text("migrations.tool") {
        let dir = if tool == "sqlx" { "migrations" } else { "." };
        layers.put_missing("migrations.dir", Value::Text(dir.into()), Origin::Default);
    }
}
