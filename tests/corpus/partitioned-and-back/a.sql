create type mood as enum ('low', 'high');
create function note() returns trigger language plpgsql as 'begin return new; end';
create table visit(
    id bigint generated always as identity,
    at date not null default '2030-02-03',
    mood mood,
    note text,
    double int generated always as (2) stored,
    primary key (id, at)
);
create trigger noted before insert on visit for each row execute function note();
create table visitor(visit bigint, at date, foreign key (visit, at) references visit);
create view moods as select mood from visit;
