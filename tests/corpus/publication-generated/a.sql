create table t(id int primary key, a int, g int generated always as (a) stored);
create publication p for table t;
create publication q for table t with (publish_generated_columns = stored);
