-- name: PurgeRegistrations :execrows
delete from registration where id in
    (select r.id from registration r where r.expires_at <= @expired_before order by r.expires_at limit @most);

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

-- name: PurgePasswordResets :execrows
delete from password_reset where id in
    (select r.id from password_reset r where r.expires_at <= @expired_before order by r.expires_at limit @most);

-- name: PurgeEmailChanges :execrows
delete from email_change where id in
    (select c.id from email_change c where c.expires_at <= @expired_before order by c.expires_at limit @most);

-- name: PurgeDevices :execrows
delete from device where hash in
    (select d.hash from device d where d.expires_at <= @now order by d.expires_at limit @most);

-- name: PurgeBudgets :execrows
-- The time is asked for twice: a row that was spent from meanwhile stays.
delete from budget where budget.expires_at <= @now and budget.key in
    (select b.key from budget b where b.expires_at <= @now order by b.expires_at limit @most);
