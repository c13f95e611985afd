//! The one integration binary: everything against real servers.

mod support;

mod bake;
mod check;
mod ci_files;
mod cli;
mod cli_alembic;
mod cli_compare;

mod elsewhere;
mod everyday;
mod generate_alembic;
mod guard;
mod house;
mod kept;
mod killed;
mod migrations_alembic;
mod migrations_alembic_errors;
mod migrations_command;
mod migrations_sqlx;
mod pytest_plugin;
mod report;
mod reset;
mod roles;
mod run;
mod run_killed;
mod schema_corpus;
mod schema_coverage;
mod schema_locks;
mod schema_named;
mod schema_property;
mod schema_roles;
mod schema_rows;
mod serve;
mod serve_faults;
mod server_docker;
mod server_local;
mod testing;
mod traits_alembic;
mod url_server;
mod urls_alembic;
