-- +goose Up
-- The newest mails that the development mailbox caught; empty wherever real SMTP is configured.
create table mailbox_message (
    id          uuid        primary key,
    received_at timestamptz not null,
    -- Envelope and message, encrypted under the service's key: mails hold codes and links.
    content     bytea       not null
);
create index mailbox_message_newest on mailbox_message (received_at desc, id desc);

alter table mailbox_message enable row level security;
alter table mailbox_message force row level security;

create policy mailbox_message_worker on mailbox_message for all to "{worker}" using (true) with check (true);
create policy mailbox_message_owner on mailbox_message for all to "{owner}" using (true) with check (true);

grant select, insert, delete on mailbox_message to "{worker}";
