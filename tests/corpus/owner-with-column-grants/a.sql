create table t(a int, b int); grant references (a) on t to r_app; grant select (b) on t to pg_monitor; alter table t owner to postgres;
create view v as select a from t; grant select (a) on v to r_app;
