create table t(a int);
create operator family fam using btree;
create function cmp(int, int) returns int language sql immutable as 'select btint4cmp($2, $1)';
create operator class rev for type int using btree family fam as operator 1 >, operator 2 >=, operator 3 =, operator 4 <=, operator 5 <, function 1 cmp(int, int);
alter operator family fam using btree add operator 1 < (int4, int8), function 1 btint48cmp(int4, int8);
create operator class h for type int using hash as operator 1 =, function 1 hashint4(int);
create index i on t (a rev); create index i2 on t using hash (a h);
create type rr as range (subtype = int, subtype_opclass = rev);
comment on operator class rev using btree is 'rev'; comment on operator family fam using btree is 'fam';
