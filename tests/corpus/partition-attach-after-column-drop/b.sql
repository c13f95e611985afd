create table m(id int, a text) partition by range (id); create table m1 partition of m for values from (0) to (10);
create policy p on m1 using (id > 0);
