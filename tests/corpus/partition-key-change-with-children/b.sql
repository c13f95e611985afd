create table m(id int not null, d date not null, v text, constraint m_pk primary key (id, d)) partition by range (id);
create table m1 partition of m for values from (1) to (1000);
create view mv as select id from m;
