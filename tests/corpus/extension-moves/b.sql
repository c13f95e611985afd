create schema s; create extension unaccent schema s;
