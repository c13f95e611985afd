create table t (id bigint, old text) with (toast.autovacuum_enabled = off);
create table kept (id bigint) with (fillfactor = 70, toast.autovacuum_enabled = off);
alter table kept add column old text;
