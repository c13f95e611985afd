create extension fuzzystrmatch schema public;
