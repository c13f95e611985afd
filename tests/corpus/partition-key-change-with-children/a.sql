create table m(id int not null, d date not null, v text, constraint m_pk primary key (id, d)) partition by range (d);
create table m1 partition of m for values from ('2024-01-01') to ('2025-01-01');
create view mv as select id from m;
