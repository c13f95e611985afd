create domain d as varchar(10) not null check (value <> 'x');
create table t(a d, b d[]); create view v as select a from t; create index i on t(a);
