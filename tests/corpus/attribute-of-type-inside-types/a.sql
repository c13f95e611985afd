create type empty as ();
create type inside as (x smallint);
create type outside as (y inside[]);
create table t (z outside);
