create domain d as integer;
create type c as (x d);
create function f(a c[] default '{}'::c[]) returns integer language sql as 'select 1';
create function g(a c default '(1)'::c) returns integer language sql as 'select 1';
create view v as select count('{1}'::d[]) as n;
create table t (a integer default array_length('{}'::c[], 1));
create domain plain as integer;
create function h(a plain[], b plain default 1) returns integer language sql as 'select 1';
