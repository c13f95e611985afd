create table t(a text, b varchar(10), c text); alter table t alter a set storage plain; alter table t alter b set storage external; alter table t alter c set compression lz4;
