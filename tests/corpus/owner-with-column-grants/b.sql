create table t(a int, b int, c int); alter table t owner to r_app; grant references (a) on t to r_app; grant select (b) on t to pg_monitor; grant update (c) on t to postgres;
create view v as select a from t; alter view v owner to r_app; grant select (a) on v to r_app;
