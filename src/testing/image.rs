//! The project's server for [testcontainers].

use std::borrow::Cow;
use std::collections::BTreeMap;

use testcontainers::core::{CmdWaitFor, ContainerPort, ContainerState, ExecCommand, WaitFor};
use testcontainers::{Image, TestcontainersError};

use super::context;
use crate::error::Result;
use crate::postgres::Target;
use crate::server::settings;

/// The image that the project's server runs, with its user, password and database; ready means
/// that it answers over TCP, which the server of the image's init phase does not.
///
/// ```no_run
/// # async fn doc() -> Result<(), Box<dyn std::error::Error>> {
/// use devdb::testing::PostgresImage;
/// use testcontainers::runners::AsyncRunner as _;
///
/// let image = PostgresImage::of_project()?;
/// let container = image.clone().start().await?;
/// let port = container.get_host_port_ipv4(PostgresImage::PORT).await?;
/// let url = image.url("127.0.0.1", port);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct PostgresImage {
    name: String,
    tag: String,
    user: String,
    password: String,
    database: String,
    settings: Vec<String>,
}

/// The final server, over TCP, in the database that is to be there.
const ANSWERS: &str = "i=0; until PGPASSWORD=\"$POSTGRES_PASSWORD\" psql -qAt -h 127.0.0.1 \
    -U \"$POSTGRES_USER\" -d \"$POSTGRES_DB\" -c 'select 1' >/dev/null 2>&1; \
    do i=$((i+1)); [ $i -lt 2400 ] || exit 1; sleep 0.025; done";

impl PostgresImage {
    /// Where the server listens inside of the container.
    pub const PORT: ContainerPort = ContainerPort::Tcp(5432);

    /// As the settings of the project say that the crate under test lies in.
    ///
    /// # Errors
    /// `Usage` where they are wrong.
    pub fn of_project() -> Result<Self> {
        let context = context()?;
        let config = context.config();
        let image = config.server.image.as_str();
        // A colon may also stand before a registry's port.
        let (name, tag) = match image.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (image, "latest"),
        };
        Ok(PostgresImage {
            name: name.to_owned(),
            tag: tag.to_owned(),
            user: config.database.user.clone(),
            password: config.database.password.clone(),
            database: config.database.name.clone(),
            settings: settings::arguments(&settings::merged(&config.server.settings)),
        })
    }

    /// The URL of the project's database in a container whose port is published so.
    pub fn url(&self, host: &str, port: u16) -> String {
        let target = Target {
            host: host.to_owned(),
            port,
            user: self.user.clone(),
            password: Some(self.password.clone()).filter(|password| !password.is_empty()),
            database: self.database.clone(),
            options: BTreeMap::new(),
        };
        target.url("postgresql")
    }
}

impl Image for PostgresImage {
    fn name(&self) -> &str {
        &self.name
    }

    fn tag(&self) -> &str {
        &self.tag
    }

    /// None: [`Image::exec_after_start`] waits.
    fn ready_conditions(&self) -> Vec<WaitFor> {
        Vec::new()
    }

    fn env_vars(
        &self,
    ) -> impl IntoIterator<Item = (impl Into<Cow<'_, str>>, impl Into<Cow<'_, str>>)> {
        let mut variables = vec![
            ("POSTGRES_USER", self.user.as_str()),
            ("POSTGRES_PASSWORD", self.password.as_str()),
            ("POSTGRES_DB", self.database.as_str()),
        ];
        if self.password.is_empty() {
            variables.push(("POSTGRES_HOST_AUTH_METHOD", "trust"));
        }
        variables
    }

    fn cmd(&self) -> impl IntoIterator<Item = impl Into<Cow<'_, str>>> {
        std::iter::once("postgres").chain(self.settings.iter().map(String::as_str))
    }

    fn expose_ports(&self) -> &[ContainerPort] {
        &[Self::PORT]
    }

    fn exec_after_start(
        &self,
        _: ContainerState,
    ) -> std::result::Result<Vec<ExecCommand>, TestcontainersError> {
        let answers = ExecCommand::new(["sh", "-c", ANSWERS]);
        Ok(vec![
            answers.with_cmd_ready_condition(CmdWaitFor::exit_code(0)),
        ])
    }
}
