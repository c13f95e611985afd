create table q (a int, r int4range);
create table p (g boolean generated always as (r is not null) stored) inherits (q);
create table k () inherits (p);
