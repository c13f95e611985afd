alter table documents add column search tsvector not null
    generated always as (
        setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', body), 'B')
    ) stored;

create index documents_search_idx on documents using gin (search);
