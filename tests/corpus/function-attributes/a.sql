create function f(a int, out b text, variadic c text[] default '{}') language plpgsql as 'begin end';
create function h(x int, y int default 1, z int default 2) returns setof int language sql rows 10 as 'select 1';
create procedure p(a int, inout b int) language plpgsql as 'begin b := 1; end';
create function w(int) returns bigint language internal window as 'window_row_number';
create function rt(a int) returns table (x int, y text) language sql as $$select 1, 'a'$$;
