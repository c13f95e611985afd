create table t (x int);
create view v with (security_invoker = true) as select x from t where x > 0 with cascaded check option;
