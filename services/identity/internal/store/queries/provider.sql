-- name: InsertExternalIdentity :exec
insert into external_identity (id, account_id, source, issuer, subject, email, created_at, last_used_at)
values (@id, @account_id, @source, @issuer, @subject, @email, @created_at, @last_used_at);

-- name: UseExternalIdentity :exec
update external_identity set email = @email, last_used_at = @last_used_at where id = @id;

-- name: ListExternalIdentities :many
select * from external_identity where account_id = @account_id order by created_at, id;

-- name: DeleteExternalIdentity :exec
delete from external_identity where id = @id and account_id = @account_id;
