create table t (id int, part int, primary key (id, part)) partition by list (part);
create table t_1 partition of t for values in (1);
create table t_2 partition of t for values in (2);
create table u (id int, part int, foreign key (id, part) references t);
create function counted() returns bigint language sql begin atomic select count(*) from t_2; end;
