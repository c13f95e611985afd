create type document_state as enum ('draft', 'published');

create table documents (
    id bigint generated always as identity primary key,
    owner_id bigint not null references users (id) on delete cascade,
    title text not null,
    body text not null default '',
    state document_state not null default 'draft',
    published_at timestamptz,
    created_at timestamptz not null default now(),
    constraint documents_published_have_a_date check (state <> 'published' or published_at is not null)
);

create index documents_owner_idx on documents (owner_id);
