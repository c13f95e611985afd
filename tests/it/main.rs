mod support;

mod house;
mod migrations_sqlx;
