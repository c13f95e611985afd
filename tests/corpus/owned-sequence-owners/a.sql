create table t(a int, b int); create sequence s owned by t.a; create sequence s2; create sequence s3 owned by t.b;
create table u(a int); create sequence s4 owned by u.a; alter table u owner to r_app; grant usage on sequence s4 to pg_monitor;
