create domain d as text;
create type state as range (subtype = d, multirange_type_name = states);
create table t (a state);
