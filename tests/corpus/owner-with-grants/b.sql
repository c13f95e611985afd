create table t(a int); create view v as select 1 as x; create function f() returns int language sql as 'select 1'; create schema s; create type e as enum ('a'); create sequence sq; create materialized view mv as select 1 as x; create domain d as int; create statistics st (ndistinct) on a, (a + 1) from t;
grant select on t to r_app; grant select on v to public;
grant create on schema public, s to r_app;
alter table t owner to r_app; alter view v owner to r_app; alter function f() owner to r_app; alter schema s owner to r_app; alter type e owner to r_app; alter sequence sq owner to r_app; alter materialized view mv owner to r_app; alter domain d owner to r_app; alter statistics st owner to r_app;
