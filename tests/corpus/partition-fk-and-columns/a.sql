create table p(id int primary key);
create table m(id int not null, p_id int, v text) partition by range (id);
create table m1 partition of m for values from (0) to (10);
