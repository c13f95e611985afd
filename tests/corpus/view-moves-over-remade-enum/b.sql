create type state as enum ('on', 'off');
create table t (id int, states state[], note text);
create view b as select note, states, id from t union all select note, states, id from t;
create view numbered as select states, id, row_number() over (order by states) as n from b where id is not null;
