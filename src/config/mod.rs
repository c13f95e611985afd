//! Settings: flags > environment > `.env` > `devdb.toml` > detection. Each value knows its origin.

mod model;

pub use model::*;
