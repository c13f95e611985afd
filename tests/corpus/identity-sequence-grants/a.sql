create table t (id int generated always as identity);
create table u (id int generated always as identity);
grant usage on sequence u_id_seq to r_app;
