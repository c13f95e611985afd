create schema app;
alter default privileges in schema app grant select on tables to r_app;
alter default privileges revoke execute on functions from public;
alter default privileges in schema app grant usage on sequences to r_app with grant option;
