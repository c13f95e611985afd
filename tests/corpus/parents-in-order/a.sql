create table a ();
create table k () inherits (a);
