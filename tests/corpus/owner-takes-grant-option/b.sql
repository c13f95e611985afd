create view v as select 1 as one;
alter view v owner to r_app;
