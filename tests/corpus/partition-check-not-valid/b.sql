create table toll(id int, at date, fee int) partition by range (at);
create table toll_1 partition of toll for values from ('2030-01-01') to ('2031-01-01');
alter table toll add constraint paid check (fee > 0) not valid;
alter table toll_1 validate constraint paid;
