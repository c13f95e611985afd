create function f(a int) returns int language sql immutable as 'select a';
create function tf() returns trigger language plpgsql as 'begin return new; end';
create table t(id int default f(1), v int, g int generated always as (f(v)) stored, constraint c check (f(v) > 0));
create index i on t(f(v)); create view w as select f(v) as x from t; create materialized view mw as select f(v) as x from t; create index mwi on mw(x);
create policy p on t using (f(id) > 0); create trigger tr before insert on t for each row when (f(new.v) > 0) execute function tf();
create domain d as int default f(3) check (f(value) > 0); create table u(x d);
create aggregate ag(int) (sfunc = int4pl, stype = int, finalfunc = f);
create function g() returns int begin atomic select f(2); end;
grant execute on function f(int) to r_app; comment on function f(int) is 'f';
