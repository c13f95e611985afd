create type ct as (a int, b text, c date); create table t of ct (a primary key, b not null, c default now()); create view v as select b from t;
