create table r (id int primary key);
create table p (part int, r int constraint fk references r deferrable initially deferred) partition by list (part);
create table k partition of p for values in (1);
