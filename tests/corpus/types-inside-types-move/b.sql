create schema s;
create type s.n as (q int);
create type e as (x s.n[]);
create domain d as e;
create type c as (y e);
create table t (z c);
