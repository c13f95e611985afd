create table t(a int, b int);
create sequence s1 minvalue 100 start 200 maxvalue 1000; create sequence s2; create sequence s3 as bigint; create sequence s4 as integer increment 2 cycle cache 3; create sequence s5 owned by t.b; create sequence s6;
