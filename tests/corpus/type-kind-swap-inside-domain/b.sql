create type inner_type as enum ('a', 'b');
create domain outer_type as inner_type;
create table t (direct inner_type, x outer_type);
