create schema "Odd Schema"; create schema "select"; create type "select"."E'x" as enum ('a''b', 'c\d', ' ', 'ünï');
create table "Odd Schema"."T.1 ""q"" %s {}" ("select" int primary key, "a.b" text default 'x''y' collate "C", "Ünïcödé" "select"."E'x" default 'a''b', "new
line" int, constraint "c;1" check ("a.b" <> ';'));
create index "I ""x""" on "Odd Schema"."T.1 ""q"" %s {}" ("a.b") where "Ünïcödé" = 'c\d';
create view "select"."from" as select "a.b" as "As" from "Odd Schema"."T.1 ""q"" %s {}";
create function "Odd Schema"."F x"("A" int, "select" text default 'q''') returns int language sql as 'select 1';
comment on column "Odd Schema"."T.1 ""q"" %s {}"."a.b" is E'it''s \\ "x" \n $$';
create table this_is_a_name_that_is_sixty_three_bytes_long_which_is_the_limit_x(a_column_name_that_is_also_rather_long_indeed serial, "user" text, "order" int generated always as identity);
create policy "P p" on "Odd Schema"."T.1 ""q"" %s {}" using ("select" > 0); create sequence "Odd Schema"."Seq.x" owned by "Odd Schema"."T.1 ""q"" %s {}"."select";
grant select ("a.b") on "Odd Schema"."T.1 ""q"" %s {}" to r_app; create trigger "T g" before insert on "Odd Schema"."T.1 ""q"" %s {}" for each row execute function suppress_redundant_updates_trigger();
