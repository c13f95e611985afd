alter type document_state add value 'archived';

-- The front page asks for these and for nothing else.
create index documents_published_idx on documents (published_at desc) where state = 'published';
