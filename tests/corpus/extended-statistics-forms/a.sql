create table t(a int, b int, c text);
create statistics s1 (ndistinct, dependencies) on a, b from t; create statistics s2 on (a + b) from t; create statistics s3 (mcv) on a, lower(c) from t;
