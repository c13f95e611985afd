create type c as (tags numeric(10,2));
create table t of c;
create view v as select tags from t;
