create type empty as ();
create type inside as (x empty);
create type outside as (y inside[]);
create table t (z outside);
