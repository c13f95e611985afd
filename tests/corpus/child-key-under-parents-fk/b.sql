create table p (id text not null, kind text, check (kind <> ''));
create table k (primary key (id)) inherits (p);
create table g () inherits (k);
alter table p add column up text, add foreign key (up) references k;
