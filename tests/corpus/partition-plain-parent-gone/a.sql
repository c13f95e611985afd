create table t (part integer, id bigint) partition by hash (part);
create table p partition of t for values with (modulus 2, remainder 1) partition by hash (part);
create table q partition of t for values with (modulus 2, remainder 0);
