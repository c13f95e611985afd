create table hive(id int, yard text) partition by list (yard);
create index hive_yard on hive (yard);
create table hive_e partition of hive for values in ('e');
create index a_local on hive_e (yard);
