create type mood as enum ('high', 'low');
create function note() returns trigger language plpgsql as 'begin return new; end';
create table visit(
    id bigint generated always as identity,
    at date not null default '2030-02-03',
    mood mood,
    note varchar(40),
    primary key (id, at)
) partition by range (at);
create table visit_early partition of visit for values from (minvalue) to ('2030-01-01');
create table visit_late partition of visit for values from ('2030-01-01') to (maxvalue);
create trigger noted before insert on visit for each row execute function note();
create table visitor(visit bigint, at date, foreign key (visit, at) references visit);
create view moods as select mood from visit;
