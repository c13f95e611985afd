create table p (id int, part int, id2 int, part2 int, primary key (id, part)) partition by range (part);
create table k partition of p for values from (0) to (10) partition by range (part);
create table deep partition of k for values from (0) to (5);
alter table p add constraint x foreign key (id2, part2) references p deferrable;
