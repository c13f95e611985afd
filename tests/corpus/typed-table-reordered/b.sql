create type c as (x timestamptz, tags uuid);
create table t of c;
create view v as select tags from t;
