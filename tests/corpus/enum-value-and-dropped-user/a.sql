create type mood as enum ('sad', 'glad');
create type pair as (what mood);
create table t (id int, m pair);
create view v as select id, 'sad'::mood as m from t;
