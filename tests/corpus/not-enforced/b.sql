create table p(id int primary key);
create table t(id int primary key, a int, p1 int, p2 int, p3 int, p4 int, p5 int,
  constraint c_keep check (a > 0) not enforced, constraint c_to check (a > 1) not enforced, constraint c_from check (a > 2),
  constraint c_new check (a > 3) not enforced,
  constraint f_keep foreign key (p1) references p not enforced,
  constraint f_to foreign key (p2) references p not enforced,
  constraint f_from foreign key (p3) references p,
  constraint f_new foreign key (p4) references p on delete cascade not enforced,
  constraint f_def foreign key (p5) references p deferrable initially deferred);
create table w(k int, x int, constraint w_check check (x > 0) not enforced, constraint w_fk foreign key (x) references p not enforced) partition by range (k);
create table w_1 partition of w for values from (0) to (10);
comment on constraint c_new on t is 'later';
