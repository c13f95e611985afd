create function f() returns trigger language plpgsql as $$ begin return old; end $$;
create table t (part integer) partition by range (part);
create table t_default partition of t default;
create trigger g before delete on t_default for each row execute function f();
