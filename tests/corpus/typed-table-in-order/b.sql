create type t1 as (b text, a int);
create type t2 as ();
create table t of t1;
