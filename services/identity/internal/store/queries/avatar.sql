-- name: InsertAvatar :exec
insert into avatar (account_id, id, content_type, image, created_at)
values (@account_id, @id, @content_type, @image, @created_at);

-- name: DeleteAvatar :exec
delete from avatar where account_id = @account_id;
