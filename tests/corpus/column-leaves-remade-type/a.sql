create type e as enum ('a');
create type c as (x e);
create table t (z e);
