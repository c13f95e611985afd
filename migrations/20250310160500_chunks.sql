create extension if not exists vector;

-- A document is embedded in pieces.
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
