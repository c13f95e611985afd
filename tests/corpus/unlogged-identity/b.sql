create table t(id int generated always as identity, s serial); create unlogged table l(id int generated always as identity);
