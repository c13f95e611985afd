create foreign data wrapper w;
create server s version '1' foreign data wrapper w;
create server empty version '' foreign data wrapper w;
create foreign table t () server s;
