create table t (id integer, fresh jsonb) with (toast.autovacuum_enabled = off);
create table kept (id integer) with (fillfactor = 70, toast.autovacuum_enabled = off);
alter table kept add column old text;
