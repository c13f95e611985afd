create table other ();
create table p (x int);
create table k () inherits (p);
create table g () inherits (k);
alter table p add constraint c check (x > 0) not valid;
