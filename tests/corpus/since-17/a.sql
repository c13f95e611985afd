create table part(k int, v int) partition by list (k);
create table part_1 partition of part for values in (1);
create table t(a int);
create domain d as int constraint d_named not null;
create domain e as int not null;
create domain f as int constraint f_named not null;
comment on constraint f_named on domain f is 'here';
create collation c (provider = builtin, locale = 'C.UTF-8');
create table changed(a int, b int generated always as (a + 1) stored);
