-- name: ListChanges :many
select revision, payload from project_change
where organization_id = @organization_id and project_id = @project_id and revision > @after
order by revision
limit @batch;

-- name: DeleteChanges :execrows
delete from project_change where ctid in (
    select old.ctid from project_change as old where old.created_at < @before limit @batch
);
