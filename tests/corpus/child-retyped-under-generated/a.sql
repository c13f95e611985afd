create type o as ();
create table top (items numeric(12, 3));
alter table top add column kind numeric generated always as (items * 2) stored;
create table middle () inherits (top);
create table bottom () inherits (middle);
