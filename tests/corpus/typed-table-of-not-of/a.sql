create type ct as (a int, b text); 
create table t of ct; create table u(a int, b text);
