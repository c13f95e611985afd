create table booking(id int4range, valid_at daterange, name text, constraint booking_pk primary key (id, valid_at without overlaps), constraint booking_u unique (id, valid_at without overlaps) deferrable);
create table plain(id int4range not null, valid_at daterange not null, constraint plain_u unique (id, valid_at without overlaps));
create table item(id int4range, valid_at daterange, booking_id int4range, plain_id int4range, primary key (id, valid_at without overlaps),
  constraint item_fk foreign key (plain_id, period valid_at) references plain (id, period valid_at));
create table fresh(id int4range, valid_at daterange, constraint fresh_pk primary key (id, valid_at without overlaps),
  constraint fresh_fk foreign key (id, period valid_at) references fresh (id, period valid_at));
comment on constraint fresh_pk on fresh is 'temporal';
