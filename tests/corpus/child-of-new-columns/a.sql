create table q (a int);
create table p (x int) inherits (q);
