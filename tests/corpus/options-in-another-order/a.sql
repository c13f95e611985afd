create table t (x int);
create view v with (security_barrier) as select x from t where x > 0 with cascaded check option;
