create table p(a int, b text, constraint k check (a > 0)); create table c(x int) inherits (p); create table c2(a int, z int) inherits (p); create table g() inherits (c);
create table q(b text); create table lone(a int, b text, constraint k check (a > 0));
