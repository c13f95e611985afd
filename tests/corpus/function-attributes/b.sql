create function f(a int, out b text, variadic c text[] default '{}') language plpgsql stable strict security definer leakproof parallel safe cost 7 set work_mem = '1MB' set search_path = a, "B c" as 'begin end';
create function h(x int, y int default 4) returns setof int language sql rows 99 as 'select 1';
create function h(x int, y int, z int) returns setof int language sql rows 10 as 'select 1';
create procedure p(aa int, inout b int) language plpgsql as 'begin b := 2; end';
create function w(int) returns bigint language internal window immutable as 'window_rank';
create function rt(a int) returns table (x int, y text, z int) language sql as $$select 1, 'a', 2$$;
create function odd(a text default 'x, "y" $$ '';') returns text language sql as 'select ''$x$'' || $1';
