create schema s;
create type s.r as range (subtype = date, multirange_type_name = public.m);
create table t (x s.r[]);
