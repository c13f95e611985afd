create type e as enum ('b', 'd');
create table t(x e default 'b', y int) ;
create table pt(x e) partition by list (x);
