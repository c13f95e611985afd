create type e as enum ('a', 'c'); create type ct as (x e[], y int); create table t of ct; create type ct2 as (z text); create table u of ct2 (z default '7');
create view v as select x from t; create table w();
