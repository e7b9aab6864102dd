-- name: PurgeRegistrations :execrows
delete from registration where id in
    (select r.id from registration r where r.expires_at <= @now order by r.expires_at limit @most);

-- name: PurgeSessions :execrows
delete from session where id in
    (select s.id from session s where s.expires_at <= @now order by s.expires_at limit @most);

-- name: PurgeRefreshTokens :execrows
delete from refresh_token where hash in
    (select t.hash from refresh_token t where t.expires_at <= @now order by t.expires_at limit @most);

-- name: PurgeAnswers :execrows
update refresh_token set sealed_answer = null where hash in
    (select t.hash from refresh_token t where t.sealed_answer is not null and t.used_at <= @used_before
     order by t.used_at limit @most);
