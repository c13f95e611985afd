//! Settings: flags > environment > `.env` > `devdb.toml` > detection. Each value knows its origin.

mod model;
mod sqlx_toml;

pub use model::*;
pub use sqlx_toml::SqlxToml;
