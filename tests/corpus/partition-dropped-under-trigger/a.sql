create function stamp() returns trigger language plpgsql as 'begin return new; end';
create table reading(id int, at date not null, sensor int) partition by range (at);
create table reading_2030 partition of reading for values from ('2030-01-01') to ('2031-01-01');
create table reading_2031 partition of reading for values from ('2031-01-01') to ('2032-01-01');
create trigger stamped before insert on reading for each row execute function stamp();
comment on trigger stamped on reading is 'kept';
