create type c as (x smallint);
create table t (z c);
