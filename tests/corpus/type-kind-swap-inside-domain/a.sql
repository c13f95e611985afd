create domain inner_type as json;
create domain outer_type as inner_type;
create table t (direct inner_type, x outer_type);
