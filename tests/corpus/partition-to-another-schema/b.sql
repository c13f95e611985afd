create schema b;
create table p (part int, x text) partition by list (part);
create table b.k partition of p for values in (1, 2);
create view v as select x from b.k;
