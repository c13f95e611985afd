create domain d as text not null default 'q' check (value <> 'x') check (value <> 'y');
create table t(a d, b d[]); create view v as select a from t; create index i on t(a);
