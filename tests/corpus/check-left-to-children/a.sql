create table p (id integer);
create table c () inherits (p);
create table d () inherits (p);
create table g () inherits (c);
alter table p add constraint positive check (id > 0);
create table q (id integer);
create table e () inherits (q);
create table f () inherits (q);
alter table q add constraint positive check (id > 0);
