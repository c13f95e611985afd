create schema app;
alter default privileges grant all on types to r_app;
alter default privileges in schema app grant insert, select on tables to r_app;
create table app.t(a int); create table public.u(a int); create sequence app.s; create function app.f() returns int language sql as 'select 1'; create type app.e as enum ('a'); create view app.v as select 1 as x;
revoke select on app.v from r_app;
