create type o as ();
create table middle ();
alter table middle add column kind o;
create table bottom () inherits (middle);
alter table bottom add column items varchar(5)[];
