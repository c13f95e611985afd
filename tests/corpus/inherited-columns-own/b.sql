create table plant(id int, name text default 'none', height int, planted date default now());
create table tree(rings int) inherits (plant);
alter table tree alter id set default 7;
alter table tree alter name set default 'tree';
alter table tree alter height set not null;
alter table tree alter planted drop default;
alter table tree alter name set storage external;
alter table tree alter height set statistics 50;
comment on column tree.name is 'of a tree';
