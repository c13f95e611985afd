create type e as enum ('a', 'b'); create type ct as (x e[], y int); create table t of ct; create table u of ct (y default 7);
create view v as select x from t; create table w of ct;
