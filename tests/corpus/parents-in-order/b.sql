create table a ();
create table b ();
create table k () inherits (b, a);
