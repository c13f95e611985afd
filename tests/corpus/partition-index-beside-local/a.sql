create table hive(id int, yard text) partition by list (yard);
create index hive_yard on hive (yard);
