create table t(a int, b text, c date);
create view v as select a, b, c from t; create view w as select a, b from v; grant select on v to r_app; comment on view v is 'v'; comment on column v.b is 'b'; alter view v alter a set default 4; alter view v alter c set default now();
create view chk with (security_invoker) as select a from t where a > 0 with local check option; create rule ins as on insert to v do instead insert into t values (new.a, new.b);
create view dropcol as select a, c from t; create function tf() returns trigger language plpgsql as 'begin return new; end'; create trigger tg instead of update on w for each row execute function tf();
