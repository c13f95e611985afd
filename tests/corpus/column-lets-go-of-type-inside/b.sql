create type e as enum ('b');
create type c as (y e[]);
create table t (x c);
