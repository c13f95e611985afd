create table person(id int, name text, salary int);
grant select, update on person to r_app;
grant select (name), update (name, id), insert (id) on person to r_app;
create view people as select id, name from person;
grant select on people to r_app;
grant update (name) on people to r_app;
