create table crate(id int not null, zone text not null, weight int) partition by list (zone);
create table crate_n partition of crate for values in ('n');
create table crate_s partition of crate for values in ('s');
-- A plain index above, a primary key below.
create unique index crate_key on only crate (zone, id);
alter table crate_n add constraint crate_n_pk primary key (zone, id);
alter index crate_key attach partition crate_n_pk;
create unique index crate_s_key on crate_s (zone, id);
alter index crate_key attach partition crate_s_key;
-- One part of the index is still missing.
create index crate_weight on only crate (weight);
create index crate_n_weight on crate_n (weight);
create index crate_s_weight on crate_s (weight);
alter index crate_weight attach partition crate_n_weight;
create table label(zone text, id int);
