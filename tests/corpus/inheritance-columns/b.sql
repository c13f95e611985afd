create table p(a bigint, n int not null default 3, constraint k check (a > 1), constraint k2 check (n > 0), constraint k3 check (n < 99) no inherit); create table c(x int) inherits (p); create table c2(a bigint, z int, b text) inherits (p); create table g() inherits (c);
alter table g alter n set default 9;
create table q(b text); alter table c no inherit p; alter table c2 inherit q;
create table lone(a int, b text, constraint k check (a > 0));
