create schema s;
create type s.r as range (subtype = text, multirange_type_name = public.m);
create table t (x s.r[]);
