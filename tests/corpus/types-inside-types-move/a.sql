create type e as (x text[]);
create domain d as e;
create type c as (y e);
create table t (z c);
