mod support;

mod migrations_alembic;
mod migrations_alembic_errors;
mod migrations_command;
mod migrations_sqlx;
