create type a_name_of_sixty_three_bytes_a_name_of_sixty_three_bytes_a_name_ as enum ('a', 'b'); create type e as enum ('a', 'b'); create type e__old as enum ('x');
create type "ümläüt_ümläüt_ümläüt_ümläüt_ümläüt_ümläü" as enum ('a', 'b');
create table t(a a_name_of_sixty_three_bytes_a_name_of_sixty_three_bytes_a_name_, b e, c e__old, d "ümläüt_ümläüt_ümläüt_ümläüt_ümläüt_ümläü");
