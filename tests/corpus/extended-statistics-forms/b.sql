create table t(a int, b int, c text);
create statistics s1 (mcv) on a, b from t; create statistics s2 on (a + b) from t; alter statistics s2 set statistics 42; create statistics s3 (mcv) on a, lower(c) from t; comment on statistics s3 is 's3';
