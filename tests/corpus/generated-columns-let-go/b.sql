create table k (b text, g boolean generated always as (b is not null) stored) with (autovacuum_enabled = off);
create table n (part int, g numeric generated always as (part * 3) stored);
create table c (id int, kind text, g boolean generated always as (kind is not null) stored);
