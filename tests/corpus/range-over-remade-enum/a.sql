create type e as enum ('a', 'b'); create type r as range (subtype = e); create type ct as (x e); create table t(x r[], y ct[], z r);
create type tr as range (subtype = text); create table u(x tr, y tr_multirange);
