create type a1 as ();
create type b1 as ();
create table p (x a1);
alter table p alter column x set storage external;
create table k () inherits (p);
