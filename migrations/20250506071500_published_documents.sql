create view published_documents as
select d.id, d.title, d.body, d.published_at, u.display_name as author
from documents d
join users u on u.id = d.owner_id
where d.state = 'published';

comment on view published_documents is 'What readers may see';
