create type "äöüäöüäöüäöüäöüäöüäöüäöüäöüäöüä0" as range (subtype = date);
create table t (r "äöüäöüäöüäöüäöüäöüäöüäöüäöüäöüä0");
