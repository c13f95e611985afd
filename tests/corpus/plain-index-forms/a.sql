-- Indexes on plain columns are printed by devdb itself where they are the simplest; these are near to that.
create type mood as enum ('sad', 'glad');
create domain code as text;
create table "Odd Table" (id int, "Odd Column" varchar(20), name text, other text collate "C", mood mood, code code, tags text[],
  amount numeric, made timestamptz, fixed char(4), small smallint, raw bytea, address inet, uid uuid, data jsonb);
create index plain on "Odd Table" (id);
create index "Odd Index" on "Odd Table" ("Odd Column", name);
create index turned on "Odd Table" (id desc, name nulls first, amount desc nulls last, made asc nulls last);
create unique index single on "Odd Table" (uid);
create index collated on "Odd Table" (name collate "C");
create index own_collation on "Odd Table" (other);
create index other_collation on "Odd Table" (other collate "POSIX");
create index enumerated on "Odd Table" (mood);
create index over_domain on "Odd Table" (code);
create index over_array on "Odd Table" (tags);
create index patterns on "Odd Table" (name text_pattern_ops);
create index varchar_patterns on "Odd Table" ("Odd Column" varchar_pattern_ops);
create index many on "Odd Table" (fixed, small, raw, address, data);
create index hashed on "Odd Table" using hash (id);
create index ranged on "Odd Table" using brin (made);
create index included on "Odd Table" (id) include (name);
create unique index distinct_nulls on "Odd Table" (small) nulls not distinct;
create index filled on "Odd Table" (amount) with (fillfactor = 70);
create index part on "Odd Table" (amount) where id > 3;
create index expressed on "Odd Table" (lower(name));
create table parted (id int, at date) partition by range (at);
create table parted_one partition of parted for values from ('2026-01-01') to ('2027-01-01');
create index on parted (id);
create index only_here on parted_one (at desc);
