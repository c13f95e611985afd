create table t(a int); create view v as select 1 as x; create function f() returns int language sql as 'select 1'; create schema s; create type e as enum ('a'); create sequence sq; create materialized view mv as select 1 as x; create domain d as int; create statistics st (ndistinct) on a, (a + 1) from t;
grant select on t to r_app; grant select on v to public;
