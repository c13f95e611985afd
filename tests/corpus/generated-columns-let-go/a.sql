create table k (x numeric(6,1)[], b text, g boolean generated always as (x is not null) stored) with (autovacuum_enabled = off, toast.autovacuum_enabled = off);
create table n (id int, part int, g numeric generated always as (id * 3) stored, primary key (id, part));
create table c (id int, kind text, g numeric generated always as (id * 2) stored);
