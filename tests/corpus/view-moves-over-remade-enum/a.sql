create type state as enum ('new', 'on', 'off');
create table t (id int, states state[], note text);
create view a as select note, states, id from t union all select note, states, id from t;
create view numbered as select states, id, row_number() over (order by states) as n from a where id is not null;
create view above as select n, states from numbered;
