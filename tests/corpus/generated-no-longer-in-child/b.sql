create table p (r int4range[], g boolean generated always as (r is not null) stored);
create table k () inherits (p);
