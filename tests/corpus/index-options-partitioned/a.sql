create table m(id int, k text, primary key (id) with (fillfactor = 80)) partition by range (id);
create table m1 partition of m for values from (0) to (10) partition by range (id);
create index i on m1 (k) with (fillfactor = 70);
