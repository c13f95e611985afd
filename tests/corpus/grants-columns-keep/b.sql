create table person(id int, name text, salary int);
grant select (name), update (name) on person to r_app;
create view people as select id, name from person;
grant select (name), update (name) on people to r_app;
