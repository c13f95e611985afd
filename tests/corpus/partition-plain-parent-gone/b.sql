create table p (id bigint) with (fillfactor = 70);
create table q (part integer, id bigint);
