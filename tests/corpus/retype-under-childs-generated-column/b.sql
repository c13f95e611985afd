create table p (x bigint);
create table k (twice numeric generated always as (x * 2) stored) inherits (p);
create view v as select x from k;
