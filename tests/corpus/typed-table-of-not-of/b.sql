create type ct as (a int, b text); 
create table t(a int, b text); create table u(a int, b text); alter table u of ct;
