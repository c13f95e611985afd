create table lane(id serial, old int);
alter table lane owner to r_app;
create sequence loose;
create table dock(id serial);
