create table bookmarks (
    user_id bigint not null references users (id) on delete cascade,
    document_id bigint not null references documents (id) on delete cascade,
    note text,
    created_at timestamptz not null default now(),
    primary key (user_id, document_id)
);

create index bookmarks_document_idx on bookmarks (document_id) include (created_at);

alter table users add column plan text not null default 'free'
    constraint users_plan_check check (plan in ('free', 'team'));
