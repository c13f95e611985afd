create table m(id int not null, d date not null, v text) partition by range (d);
create table m1 partition of m for values from ('2024-01-01') to ('2025-01-01');
create table m2 partition of m default;
create index m_v on m(v) where v <> '';
alter table m add constraint m_pk primary key (id, d);
comment on constraint m_pk on m is 'pk';
