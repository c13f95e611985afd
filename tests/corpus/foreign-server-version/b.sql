create foreign data wrapper w;
create server s foreign data wrapper w;
create server empty foreign data wrapper w;
create foreign table t () server s;
