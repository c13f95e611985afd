create table users (
    id bigint generated always as identity primary key,
    email text not null,
    display_name text not null,
    created_at timestamptz not null default now(),
    constraint users_email_is_an_address check (position('@' in email) > 1)
);

-- Addresses differ by more than case.
create unique index users_email_key on users (lower(email));
