create table top ();
create table middle () inherits (top);
create table bottom () inherits (middle);
create table beside () inherits (middle);
alter table top add column tags bigint;
