mod support;

mod migrations_sqlx;
