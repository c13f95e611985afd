create type c as (a varchar);
create table m of c;
