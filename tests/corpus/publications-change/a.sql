create table a(id int primary key, x int); create table b(id int primary key); create schema s; create table s.c(id int primary key);
create publication p1 for table a, b; create publication p2 for all tables with (publish = 'insert'); create publication p3 for tables in schema s; create publication p4 for table a (id) where (id > 3);
