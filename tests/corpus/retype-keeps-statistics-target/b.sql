create table t(a bigint, b text); create statistics s on a, b from t; alter statistics s set statistics 50;
comment on statistics s is 'kept';
