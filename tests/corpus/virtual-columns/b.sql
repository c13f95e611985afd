create table t(a int, b int, keep int generated always as (a + 1) virtual, changed int generated always as (a * 3 + b) virtual,
  fresh text generated always as (upper(b::text)) virtual not null, plain int generated always as (a - 1) virtual,
  to_virtual int generated always as (a) virtual, to_stored int generated always as (b) stored);
create view v as select a, keep, fresh from t;
create table part(k int, x int, y int generated always as (x + 2) virtual, z int generated always as (k) virtual) partition by range (k);
create table part_1 partition of part for values from (0) to (10);
comment on column t.keep is 'kept on';
alter table t add constraint c check (keep > 0) not valid;
