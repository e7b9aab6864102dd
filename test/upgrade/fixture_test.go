package upgrade_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"
	"google.golang.org/protobuf/proto"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/audit"
	"github.com/braidhq/braid/services/identity"
	"github.com/braidhq/braid/services/notification"
	"github.com/braidhq/braid/services/organization"
	"github.com/braidhq/braid/services/workflow"
	"github.com/braidhq/braid/test/client"
)

const (
	email    = "ada@example.com"
	password = "correct horse battery Ada"
)

// fixture names the rows of the previous level. When a migration is added, its columns are not to be written here: they
// did not exist. What a dropped or changed column needs, that migration has to do.
type fixture struct {
	userID, organizationID, projectID, taskID, commentID, recordID id.ID
	at                                                             time.Time
}

func newFixture() *fixture {
	return &fixture{
		userID: id.New(), organizationID: id.New(), projectID: id.New(), taskID: id.New(), commentID: id.New(), recordID: id.New(),
		at: time.Now().Add(-time.Hour).UTC().Truncate(time.Microsecond),
	}
}

// person is who the rows belong to.
func (f *fixture) person() *client.Person {
	return &client.Person{Name: "Ada", Email: email, Password: password, ID: f.userID.String()}
}

// statements are the rows of one service's database.
func (f *fixture) statements(t *testing.T, service string) []statement {
	t.Helper()
	switch service {
	case identity.Name:
		return []statement{
			{`insert into account (id, email, display_name, revision, created_at, updated_at) values ($1, $2, 'Ada', 1, $3, $3)`,
				[]any{f.userID.String(), email, f.at}},
			{`insert into credential (email_key, account_id, password_hash, updated_at) values ($1, $2, $3, $4)`,
				[]any{email, f.userID.String(), hashPassword(), f.at}},
		}
	case organization.Name:
		return []statement{
			{`insert into organization (id, display_name, slug, created_at, updated_at, revision) values ($1, 'Old House', 'old-house', $2, $2, 1)`,
				[]any{f.organizationID.String(), f.at}},
			{`insert into member (organization_id, user_id, role_ids, joined_at, revision) values ($1, $2, '{owner}', $3, 1)`,
				[]any{f.organizationID.String(), f.userID.String(), f.at}},
			{`insert into profile (user_id, display_name, email, email_key, revision) values ($1, 'Ada', $2, $2, 1)`,
				[]any{f.userID.String(), email}},
		}
	case workflow.Name:
		return f.workflowStatements(t)
	case notification.Name:
		return []statement{
			{`insert into notification (id, user_id, organization_id, event_id, kind, title, project_id, task_id, task_key, created_at)
				values ($1, $2, $3, $4, 'task_assigned', 'OLD-1 was assigned to you: written before', $5, $6, 'OLD-1', $7)`,
				[]any{id.New().String(), f.userID.String(), f.organizationID.String(), id.New().String(), f.projectID.String(), f.taskID.String(), f.at}},
			{`insert into preference (user_id, kind, channel, enabled, updated_at) values ($1, 'task_commented', 'email', false, $2)`,
				[]any{f.userID.String(), f.at}},
		}
	case audit.Name:
		return f.auditStatements()
	default:
		require.Fail(t, "no rows for service "+service)
		return nil
	}
}

// workflowStatements include an event that was committed and not yet published when the old braid ended.
func (f *fixture) workflowStatements(t *testing.T) []statement {
	t.Helper()
	payload, err := proto.Marshal(&workflowv1.TaskCreated{Task: &workflowv1.Task{
		Id: f.taskID.String(), OrganizationId: f.organizationID.String(), ProjectId: f.projectID.String(),
		Number: 1, Key: "OLD-1", Title: "written before", Status: "todo", ReporterId: f.userID.String(),
	}})
	require.NoError(t, err)
	attributes, err := json.Marshal(map[string]any{"actorKind": "user", "userId": f.userID.String(), "correlationId": "waiting-before"})
	require.NoError(t, err)
	return []statement{
		{`insert into project (organization_id, id, key, display_name, description, created_at, updated_at, next_number, revision)
			values ($1, $2, 'OLD', 'Old project', '', $3, $3, 2, 3)`,
			[]any{f.organizationID.String(), f.projectID.String(), f.at}},
		{`insert into task (organization_id, id, project_id, number, project_key, title, description, status, priority, reporter_id, labels,
				created_at, updated_at, revision, commenter_ids)
			values ($1, $2, $3, 1, 'OLD', 'written before', '', 'in_progress', 2, $4, '{}', $5, $5, 2, array[$4::uuid])`,
			[]any{f.organizationID.String(), f.taskID.String(), f.projectID.String(), f.userID.String(), f.at}},
		{`insert into comment (organization_id, id, task_id, author_id, body, created_at, updated_at, revision)
			values ($1, $2, $3, $4, 'said before', $5, $5, 3)`,
			[]any{f.organizationID.String(), f.commentID.String(), f.taskID.String(), f.userID.String(), f.at}},
		{`insert into outbox (event_id, key, organization_id, type, schema, subject, occurred_at, attributes, payload)
			values ($1, $2, $2, 'workflow.task.created', 'braid.workflow.v1.TaskCreated', $3, $4, $5, $6)`,
			[]any{id.New().String(), f.organizationID.String(), "task/" + f.taskID.String(), f.at, string(attributes), payload}},
	}
}

func (f *fixture) auditStatements() []statement {
	salt, body := make([]byte, 32), `{"payload":{"project":{"key":"OLD"}}}`
	proof := sha256.Sum256(append(salt, body...))
	return []statement{
		{`insert into audit_record (id, event_id, organization_id, action, actor_kind, actor_id, resource_type, resource_id, source,
				correlation_id, occurred_at, recorded_at, body_hash)
			values ($1, $2, $3, 'workflow.project.created', 'user', $4, 'project', $5, 'workflow', 'recorded-before', $6, $6, $7)`,
			[]any{f.recordID.String(), id.New().String(), f.organizationID.String(), f.userID.String(), f.projectID.String(), f.at, proof[:]}},
		{`insert into audit_entry (organization_id, record_id, occurred_at, action, actor_id, resource_type, resource_id, correlation_id)
			values ($1, $2, $3, 'workflow.project.created', $4, 'project', $5, 'recorded-before')`,
			[]any{f.organizationID.String(), f.recordID.String(), f.at, f.userID.String(), f.projectID.String()}},
		{`insert into audit_body (record_id, person_id, salt, body) values ($1, $2, $3, $4)`,
			[]any{f.recordID.String(), f.userID.String(), salt, body}},
		{`insert into membership_change (organization_id, user_id, occurred_at, member) values ($1, $2, $3, true)`,
			[]any{f.organizationID.String(), f.userID.String(), f.at}},
	}
}

// hashPassword is argon2id in PHC form, as it was and must stay readable.
func hashPassword() string {
	salt := []byte("sixteen bytes of")
	key := argon2.IDKey([]byte(password), salt, 2, 19456, 1, 32)
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=19456,t=2,p=1$%s$%s", argon2.Version, encode(salt), encode(key))
}
