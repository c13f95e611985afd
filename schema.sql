-- The wanted schema: what the database should look like. Edit this file, then `devdb generate "what changed"` writes
-- the migration that leads there.

create extension if not exists vector;

-- People

create table users (
    id bigint generated always as identity primary key,
    email text not null,
    display_name text not null,
    created_at timestamptz not null default now(),
    plan text not null default 'free',
    constraint users_email_is_an_address check (position('@' in email) > 1),
    constraint users_plan_check check (plan in ('free', 'team'))
);

-- Addresses differ by more than case.
create unique index users_email_key on users (lower(email));

-- Documents

create type document_state as enum ('draft', 'published', 'archived');

create table documents (
    id bigint generated always as identity primary key,
    owner_id bigint not null references users (id) on delete cascade,
    title text not null,
    body text not null default '',
    state document_state not null default 'draft',
    published_at timestamptz,
    created_at timestamptz not null default now(),
    search tsvector not null generated always as (
        setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', body), 'B')
    ) stored,
    updated_at timestamptz not null default now(),
    constraint documents_published_have_a_date check (state <> 'published' or published_at is not null)
);

create index documents_owner_idx on documents (owner_id);
create index documents_search_idx on documents using gin (search);

-- The front page asks for these and for nothing else.
create index documents_published_idx on documents (published_at desc) where state = 'published';

create function touch_updated_at() returns trigger
language plpgsql
as $$
begin
    new.updated_at := now();
    return new;
end;
$$;

create trigger documents_touch
    before update of title, body, state on documents
    for each row
    execute function touch_updated_at();

create view published_documents as
select d.id, d.title, d.body, d.published_at, u.display_name as author
from documents d
join users u on u.id = d.owner_id
where d.state = 'published';

comment on view published_documents is 'What readers may see';

create table bookmarks (
    user_id bigint not null references users (id) on delete cascade,
    document_id bigint not null references documents (id) on delete cascade,
    note text,
    created_at timestamptz not null default now(),
    primary key (user_id, document_id)
);

create index bookmarks_document_idx on bookmarks (document_id) include (created_at);

-- Search by meaning: a document is embedded in pieces.

create table chunks (
    id bigint generated always as identity primary key,
    document_id bigint not null references documents (id) on delete cascade,
    position integer not null,
    content text not null,
    embedding vector(384),
    constraint chunks_position_key unique (document_id, position),
    constraint chunks_position_check check (position >= 0)
);

create index chunks_embedding_idx on chunks
    using hnsw (embedding vector_cosine_ops) with (m = 16, ef_construction = 64);
