create table ward(id int, place text, bed int) partition by list (place);
create table ward_a partition of ward for values in ('a');
create table bed(id int, place text) partition by list (place);
create table bed_a partition of bed for values in ('a');
