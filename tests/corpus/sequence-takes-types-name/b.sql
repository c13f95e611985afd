create domain d as text;
create sequence state as smallint;
create sequence states;
create table t (a d);
