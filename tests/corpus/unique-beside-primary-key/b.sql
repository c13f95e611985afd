create table t (id int);
create table u (id bigint primary key);
alter table u add constraint also unique (id);
comment on constraint also on u is 'as well';
