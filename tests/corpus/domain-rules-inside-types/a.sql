create domain d as int; create domain d2 as d; create type ct as (x d2); create domain n as text; create table t(a d[], b ct, c d, e n[], f d2);
