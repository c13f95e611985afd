create table p (part int) partition by list (part);
create index "it's" on p (part) with (fillfactor = 70) where part <> 0;
