create function r(int) returns int language sql as 'select 1'; create view v as select 1 as x; create table t(a int); create index name_one on t(a); create sequence sq; create type ty as enum ('a');
