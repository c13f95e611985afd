create domain d as int constraint c check (value > 0); create domain d2 as d; create type ct as (x d2); create domain n as text not null; create table t(a d[], b ct, c d, e n[], f d2);
