alter table documents add column updated_at timestamptz not null default now();

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
