create type span as range (subtype = uuid, multirange_type_name = spans);
create table t (id int, s span);
