create type state as enum ('on', 'off');
create domain spans as state;
create table t (id int, s spans);
