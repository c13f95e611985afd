create type ct as (a int, b text); create table t of ct (a primary key, b default 'x'); create view v as select b from t;
