create table t(a int, b int, keep int generated always as (a + 1) virtual, changed int generated always as (a * 2) virtual,
  gone int generated always as (b) virtual, plain int, to_virtual int generated always as (a) stored, to_stored int generated always as (b) virtual);
create view v as select a, keep from t;
create table part(k int, x int, y int generated always as (x + 1) virtual) partition by range (k);
create table part_1 partition of part for values from (0) to (10);
comment on column t.keep is 'kept';
grant select (keep) on t to r_app;
