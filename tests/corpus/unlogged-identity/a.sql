create unlogged table t(id int generated always as identity, s serial); create table l(id int generated always as identity);
