create type mood as enum ('sad', 'so-so', 'glad');
create table t (id int, m mood);
create table u (id int);
create view v as select id, 'sad'::mood as m from u;
