create table p(id int primary key);
create table t(id int primary key, a int, p1 int, p2 int, p3 int, p4 int, p5 int,
  constraint c_keep check (a > 0) not enforced, constraint c_to check (a > 1), constraint c_from check (a > 2) not enforced,
  constraint f_keep foreign key (p1) references p not enforced,
  constraint f_to foreign key (p2) references p,
  constraint f_from foreign key (p3) references p not enforced,
  constraint f_def foreign key (p5) references p deferrable not enforced);
create table w(k int, x int) partition by range (k);
create table w_1 partition of w for values from (0) to (10);
