create type a1 as ();
create type b1 as ();
create table p (x b1);
alter table p alter column x set storage external;
create table k () inherits (p);
