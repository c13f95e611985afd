create table booking(id int4range, valid_at daterange, name text, constraint booking_pk primary key (id, valid_at without overlaps));
create table plain(id int4range not null, valid_at daterange not null, constraint plain_u unique (id, valid_at));
create table item(id int4range, valid_at daterange, booking_id int4range, primary key (id, valid_at without overlaps),
  constraint item_fk foreign key (booking_id, period valid_at) references booking (id, period valid_at));
