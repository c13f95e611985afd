create table t(a int, b int); create sequence s; create schema sc; create function f(int) returns int language sql as 'select 1'; create procedure p() language sql as ''; create type e as enum ('x'); create domain d as int; create view v as select 1 as x;
grant select (a) on t to r_app; grant update (a, b) on t to r_app with grant option; grant insert on t to public; grant usage on s to r_app;
