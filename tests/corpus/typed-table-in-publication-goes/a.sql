create schema a;
create type c as ();
create type e as enum ('x');
create type d as (x e);
create table a.t of c;
create table a.u of d;
create function f() returns bigint language sql begin atomic select count(*) from a.u; end;
create publication p for table a.t;
