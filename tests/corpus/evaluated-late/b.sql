-- Bodies in quotes: the catalog does not know that the first routine calls the last one.
create function zz_prefix() returns text language sql immutable as 'select ''p-''::text';
create function aa_label(code text) returns text language sql immutable as 'select public.zz_prefix() || code';
create table parcel(
    id int primary key,
    code text,
    origin text default aa_label('?'),
    label text generated always as (aa_label(code)) stored,
    constraint labelled check (aa_label(code) <> '')
);
create index parcel_label on parcel (aa_label(code));
create materialized view labels as select aa_label('x') as label;
create materialized view zones as select 1 as zone;
create function zz_zones() returns setof zones language sql stable as 'select * from public.zones';
create function aa_count() returns bigint language sql stable as 'select count(*) from public.zz_zones()';
create materialized view counted as select aa_count() as zones;
