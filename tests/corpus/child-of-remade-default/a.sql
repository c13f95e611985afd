create function f(text, z integer default 7) returns text language sql immutable as 'select $1';
create table t (a varchar default f('x'), b int);
