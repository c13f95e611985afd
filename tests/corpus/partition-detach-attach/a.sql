create table m(id int not null, v text, constraint m_pk primary key (id)) partition by range (id);
create index m_v on m(v);
create table m1 partition of m for values from (0) to (10);
create table m2 partition of m for values from (10) to (20);
