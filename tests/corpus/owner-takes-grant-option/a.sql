create view v as select 1 as one;
grant all on v to r_app with grant option;
