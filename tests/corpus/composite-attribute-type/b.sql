create type ct as (a bigint, b text, d text); create table t(x ct, y ct[]); create view v as select (x).a from t; create function f(ct) returns int language sql as 'select 1';
comment on column ct.a is 'attr2'; comment on type ct is 'ct';
create type unused as (a bigint, n numeric(10,2));
