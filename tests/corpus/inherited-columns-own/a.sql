create table plant(id int, name text default 'none', height int, planted date default now());
