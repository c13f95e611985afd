create type pair as (x int, y int);
create domain spot as pair;
create domain plain as int;
create table t (id int, at plain);
create function many(spots spot[] default '{}') returns table (a int, b spot[]) language sql immutable as 'select 1, $1';
