create schema s; create extension unaccent schema public;
