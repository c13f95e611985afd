create table m(id int not null, d date not null, v text, primary key (id, d)) partition by range (d);
create index m_v on m(v);
create unique index m_u on m(d, id);
create table m1 partition of m for values from ('2024-01-01') to ('2025-01-01');
create table m2(d date not null, v text, id int not null, constraint other_name primary key (id, d));
create index my_v on m2(v);
alter table m attach partition m2 for values from ('2025-01-01') to ('2026-01-01');
comment on index my_v is 'kept';
