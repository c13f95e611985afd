create table t(a int, b int);
create sequence s1; create sequence s2 start 5 minvalue 5; create sequence s3 as smallint; create sequence s4 increment -1; create sequence s5 owned by t.a; create unlogged sequence s6;
