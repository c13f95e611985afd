create table parcel(id int primary key, code text);
insert into parcel values (1, 'A'), (2, 'B');
