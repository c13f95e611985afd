create table p ();
create table k () inherits (p);
