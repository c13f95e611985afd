create table p(a int, b text, constraint k check (a > 0)); create table lone(a int, b text, constraint k check (a > 0));
alter table lone inherit p;
