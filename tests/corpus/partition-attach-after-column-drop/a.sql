create table m(id int, a text) partition by range (id); create table m1(id int, a text, extra boolean);
create policy p on m1 using (extra is not null);
