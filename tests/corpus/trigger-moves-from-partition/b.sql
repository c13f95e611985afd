create function f() returns trigger language plpgsql as $$ begin return old; end $$;
create table t (part integer) partition by range (part);
create trigger g before delete on t for each row execute function f();
