create type e as enum ('b', 'c'); create type r as range (subtype = e); create type ct as (x e); create table t(x r[], y ct[], z r);
create type tr as range (subtype = text, collation = "C"); create table u(x tr, y tr_multirange);
