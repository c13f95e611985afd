create type mood as enum ('sad', 'ok', 'glad');
create table person (id integer, feels mood);
create type pair as (one person, two person);
create domain known as person check ((value).id > 0);
create table diary (
    day date primary key,
    who person default row(1, 'ok'),
    all_of_them person[],
    two pair,
    sure known,
    goes person
);
create index on diary (((who).id));
create view days as select day, (who).feels from diary;
create table page (about diary, nr integer);
create table child () inherits (person);
create table kept (c child);
