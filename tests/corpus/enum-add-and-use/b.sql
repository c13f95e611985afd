create type e as enum ('b', 'd');
create table t(x e default 'b', y int) ;
create table pt(x e) partition by list (x);
alter type e add value 'a' before 'b';
alter type e add value 'c' after 'b';
alter type e add value 'e';
-- commit
alter table t alter x set default 'c';
alter table t add check (x <> 'a');
create index i on t(y) where x = 'e';
create view v as select * from t where x in ('a', 'c');
create table pt1 partition of pt for values in ('e');
create function f(x e default 'a') returns e language sql begin atomic select 'c'::e; end;
