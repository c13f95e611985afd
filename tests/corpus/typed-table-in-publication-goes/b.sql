create schema b;
create type c as (x int);
create type e as enum ('y');
create type d as (x e);
create table b.t of c;
create table b.u of d;
create function f() returns bigint language sql begin atomic select count(*) from b.u; end;
create publication p for table b.t;
