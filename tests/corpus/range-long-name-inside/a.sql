create type "äöüäöüäöüäöüäöüäöüäöüäöüäöüäöüä0" as range (subtype = numeric);
create table t (r "äöüäöüäöüäöüäöüäöüäöüäöüäöüäöüä0");
