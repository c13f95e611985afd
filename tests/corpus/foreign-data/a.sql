create extension postgres_fdw; create extension file_fdw;
create foreign data wrapper dummy options (debug 'true'); create server s1 foreign data wrapper postgres_fdw options (host 'a', port '1'); create server s2 type 'x' version '1' foreign data wrapper dummy;
create user mapping for public server s1 options (user 'u'); create foreign table ft(a int options (column_name 'x') not null default 4, b text) server s1 options (schema_name 's', table_name 't'); comment on foreign table ft is 'ft'; grant usage on foreign server s1 to r_app;
