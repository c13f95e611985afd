create function f(text) returns text language sql immutable as 'select $1';
create table t (a varchar default f('x'), b int);
create table child () inherits (t);
create table grandchild () inherits (child);
