package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/audit/internal/domain"
	"github.com/braidhq/braid/services/audit/internal/store/db"
)

// Records is the list of an organization's trail.
var Records = list.Spec{
	Name: "audit-events",
	Fields: map[string]list.Field{
		"actorId":       {Column: "actor_id", Type: list.ID},
		"action":        {Column: "action", Type: list.String},
		"resourceType":  {Column: "resource_type", Type: list.String},
		"resourceId":    {Column: "resource_id", Type: list.String},
		"correlationId": {Column: "correlation_id", Type: list.String},
		"createTime":    {Column: "occurred_at", Type: list.Time},
	},
	Orders:   map[string]list.Order{"createTime": {Column: "occurred_at", Type: list.Time}},
	Default:  "createTime desc",
	Tiebreak: list.Order{Column: "record_id", Type: list.ID},
}

// trails begin every read of a trail. An organization's own records are found in their table, those of persons by the
// entries that the organization has for them.
var trails = []string{
	`select record_id, occurred_at from (select id as record_id, * from audit_record) as record where organization_id = $1`,
	// A person's record is part of it only while the person was a member: an entry that was written before their leaving
	// was heard of is permanent, but not shown. Entries without a person are of a time when own records had one, too.
	`select record_id, occurred_at from audit_entry where organization_id = $1 and person_id is not null and (
select standing.member from membership_change standing
where standing.user_id = audit_entry.person_id and standing.organization_id = audit_entry.organization_id
and standing.occurred_at <= audit_entry.occurred_at order by standing.occurred_at desc limit 1)`,
}

// details completes entries with what only the page's records need. The limits make each look-up a loop over the page,
// which keeps the page's order.
const details = `select record.id, record.event_id, record.organization_id, record.person_id, record.action, record.actor_kind,
record.actor_id, record.resource_type, record.resource_id, record.source, record.correlation_id, record.occurred_at,
record.recorded_at, record.body_hash, record.credential_id, record.impersonator_id, body.body
from (%s) as entry
cross join lateral (select * from audit_record where audit_record.id = entry.record_id limit 1) as record
left join lateral (select * from audit_body where audit_body.record_id = entry.record_id limit 1) as body on true`

// InsertRecords writes records with their bodies, as far as their events have none, and their entries: in the event's
// organization, or in those that the person was in. It is one statement for all of them, and queued.
func InsertRecords(ctx context.Context, tx *pg.Tx, records []domain.SealedRecord, recordedAt time.Time) error {
	columns := db.InsertRecordsParams{RecordedAt: recordedAt}
	for _, record := range records {
		columns.Ids = append(columns.Ids, record.ID)
		columns.EventIds = append(columns.EventIds, record.EventID)
		columns.OrganizationIds = append(columns.OrganizationIds, record.OrganizationID)
		columns.PersonIds = append(columns.PersonIds, record.PersonID)
		columns.Actions = append(columns.Actions, record.Action)
		columns.ActorKinds = append(columns.ActorKinds, record.ActorKind)
		columns.ActorIds = append(columns.ActorIds, record.ActorID)
		columns.CredentialIds = append(columns.CredentialIds, record.CredentialID)
		columns.ImpersonatorIds = append(columns.ImpersonatorIds, record.ImpersonatorID)
		columns.ResourceTypes = append(columns.ResourceTypes, record.Resource.Type)
		columns.ResourceIds = append(columns.ResourceIds, record.Resource.ID)
		columns.Sources = append(columns.Sources, record.Source)
		columns.CorrelationIds = append(columns.CorrelationIds, record.CorrelationID)
		columns.OccurredAt = append(columns.OccurredAt, record.OccurredAt)
		columns.BodyHashes = append(columns.BodyHashes, record.Hash)
		columns.BodyPersonIds = append(columns.BodyPersonIds, record.BodyOwner())
		columns.Salts = append(columns.Salts, record.Salt)
		columns.Bodies = append(columns.Bodies, string(record.Text))
	}
	return queued(tx).InsertRecords(ctx, columns)
}

// DeleteBodies removes bodies of a person, atMost of them, and returns how many.
func DeleteBodies(ctx context.Context, tx *pg.Tx, personID id.ID, atMost int) (int, error) {
	deleted, err := db.New(tx).DeleteBodies(ctx, personID, int32(atMost))
	if err != nil {
		return 0, fmt.Errorf("delete bodies: %w", err)
	}
	return int(deleted), nil
}

// DeleteOrganizationBodies removes the bodies of atMost of an organization's own records behind a place, and returns how
// many there were and the place where it ended, "" at the end.
func DeleteOrganizationBodies(ctx context.Context, tx *pg.Tx, organizationID id.ID, after string, atMost int) (next string, erased int64, err error) {
	var since time.Time
	var last id.ID
	if moment, recordID, ok := strings.Cut(after, " "); ok {
		if since, err = time.Parse(time.RFC3339Nano, moment); err != nil {
			return "", 0, fmt.Errorf("read place among records: %w", err)
		}
		last = id.ParseOrZero(recordID)
	}
	row, err := db.New(tx).DeleteOrganizationBodies(ctx, since, last, organizationID, int32(atMost)) //nolint:gosec // A batch is small.
	if err != nil {
		return "", 0, fmt.Errorf("delete bodies: %w", err)
	}
	if row.Passed < int64(atMost) {
		return "", row.Erased, nil
	}
	return row.LastTime.UTC().Format(time.RFC3339Nano) + " " + row.LastID.String(), row.Erased, nil
}

// ListRecords returns a page of an organization's trail.
func ListRecords(ctx context.Context, querier pg.Querier, organizationID id.ID, query *list.Query) (string, []domain.Record, error) {
	page, arguments := query.BuildUnion(trails, organizationID)
	records, err := readRecords(ctx, querier, page, arguments...)
	if err != nil {
		return "", nil, fmt.Errorf("list records: %w", err)
	}
	next, kept := list.Page(query, records, func(record domain.Record, order string) any {
		if order == "createTime" {
			return record.OccurredAt
		}
		return record.ID
	})
	return next, kept, nil
}

// GetRecord returns one record of an organization's trail.
func GetRecord(ctx context.Context, querier pg.Querier, organizationID, recordID id.ID) (domain.Record, error) {
	const only = ` and record_id = $2`
	records, err := readRecords(ctx, querier, strings.Join(trails, only+` union all `)+only, organizationID, recordID)
	if err != nil {
		return domain.Record{}, fmt.Errorf("get record: %w", err)
	}
	if len(records) == 0 {
		return domain.Record{}, errs.ErrNotFound
	}
	return records[0], nil
}

func readRecords(ctx context.Context, querier pg.Querier, page string, arguments ...any) ([]domain.Record, error) {
	rows, err := querier.Query(ctx, fmt.Sprintf(details, page), arguments...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var records []domain.Record
	for rows.Next() {
		record, err := scanRecord(rows)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, rows.Err()
}

func scanRecord(rows pgx.Rows) (domain.Record, error) {
	var record domain.Record
	var text []byte
	err := rows.Scan(&record.ID, &record.EventID, &record.OrganizationID, &record.PersonID, &record.Action, &record.ActorKind,
		&record.ActorID, &record.Resource.Type, &record.Resource.ID, &record.Source, &record.CorrelationID,
		&record.OccurredAt, &record.RecordedAt, &record.BodyHash, &record.CredentialID, &record.ImpersonatorID, &text)
	if err != nil || text == nil {
		return record, err
	}
	record.Body, err = domain.OpenBody(text)
	return record, err
}
