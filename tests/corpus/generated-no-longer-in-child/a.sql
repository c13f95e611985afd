create table p (r int4range[], g varchar(40));
create table k () inherits (p);
