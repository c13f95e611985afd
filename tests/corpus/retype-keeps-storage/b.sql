create table t(a varchar, b text collate "C", c text collate "C"); alter table t alter a set storage plain; alter table t alter b set storage external; alter table t alter c set compression lz4;
