create type a_name_of_sixty_three_bytes_a_name_of_sixty_three_bytes_a_name_ as enum ('b', 'c'); create type e as enum ('b', 'a'); create type e__old as enum ('x', 'y');
create type "ümläüt_ümläüt_ümläüt_ümläüt_ümläüt_ümläü" as enum ('b', 'c');
create table t(a a_name_of_sixty_three_bytes_a_name_of_sixty_three_bytes_a_name_, b e, c e__old, d "ümläüt_ümläüt_ümläüt_ümläüt_ümläüt_ümläü");
