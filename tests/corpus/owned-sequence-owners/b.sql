create table t(a int, b int); create sequence s; create sequence s2 owned by t.b; create table u(a int);
create sequence s5 owned by t.b; alter table t owner to r_app; alter sequence s owner to r_app; create sequence s3 owned by u.a; create sequence s4 owned by u.a;
grant usage on sequence s4 to pg_monitor; grant select on sequence s2 to pg_monitor;
create table w(a int); create sequence s6 owned by w.a; alter table w owner to r_app;
