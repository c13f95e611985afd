create type pair as (x int, y int);
create domain spot as pair constraint there check (value is not null);
create domain plain as int constraint positive check (value > 0);
create table t (id int, at plain);
create function many(spots spot[] default '{}') returns table (a int, b spot[]) language sql immutable as 'select 1, $1';
