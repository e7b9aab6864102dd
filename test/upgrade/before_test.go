package upgrade_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg/embedded"
	"github.com/braidhq/braid/services/audit"
	"github.com/braidhq/braid/services/workflow"
	"github.com/braidhq/braid/test/client"
	"github.com/braidhq/braid/test/deployment"
)

// person is somebody of a run, and how they speak to it.
type person struct {
	*client.Client
	*client.Person
}

func (p person) get(t *testing.T, path string) client.Answer {
	t.Helper()
	answer, err := p.Must(t.Context(), p.Person, http.MethodGet, path, nil)
	require.NoError(t, err)
	return answer
}

func (p person) post(t *testing.T, path string, body any, options ...client.Option) client.Answer {
	t.Helper()
	answer, err := p.Must(t.Context(), p.Person, http.MethodPost, path, body, options...)
	require.NoError(t, err)
	return answer
}

// records returns what the audit trail says, as "correlation id, action", each as often as it says so.
func (p person) records(t *testing.T, organization string) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, record := range p.get(t, organization+"/audit-events?pageSize=200").List("auditEvents") {
		found[fmt.Sprint(record["correlationId"], " ", record["action"])]++
	}
	return found
}

// past is what people did before the upgrade, and what they have in hand: tokens and mails of that time.
type past struct {
	ada, ben, cleo *client.Person
	organization   string
	project, task  string
	// answer is that to a request with the idempotency key "before".
	answer client.Answer
	// invitation is the token in a mail to Cleo, who has no account yet.
	invitation string
	// open is another invitation.
	open string
	// notifications are Ben's, records those of the trail.
	notifications []map[string]any
	// keys are those that tokens were signed with.
	keys    map[string]any
	records map[string]int
	// unheard is the correlation id of a change that stands in the broker's log, and that audit has not recorded.
	unheard string
}

const commentBefore = "said before"

// liveBefore runs braid on a new data directory, and ends it by a kill.
func liveBefore(t *testing.T, directory string) *past {
	t.Helper()
	running, err := deployment.StartAllInOne(t.Context(), deployment.Options{Directory: directory})
	require.NoError(t, err)
	t.Cleanup(func() { _ = running.Kill("braid") })
	speaker := client.New(running.URL, running.AdminURL)
	p := &past{cleo: client.NewPerson("Cleo")}
	p.ada, err = speaker.SignUp(t.Context(), "Ada")
	require.NoError(t, err)
	p.ben, err = speaker.SignUp(t.Context(), "Ben")
	require.NoError(t, err)
	p.organization, err = speaker.CreateOrganization(t.Context(), p.ada, "Old House")
	require.NoError(t, err)
	require.NoError(t, speaker.Join(t.Context(), p.organization, p.ada, p.ben, "member"))
	ada, ben := person{speaker, p.ada}, person{speaker, p.ben}
	p.project = p.organization + "/projects/" + ada.post(t, p.organization+"/projects", map[string]any{"key": "OLD", "displayName": "Old project"}).Text("id")
	made := ada.post(t, p.project+"/tasks", map[string]any{"title": "written before", "assigneeId": p.ben.ID})
	p.task = p.organization + "/tasks/" + made.Text("id")
	ben.post(t, p.task+":transition", map[string]any{"status": "in_progress"})
	p.answer = ada.post(t, p.task+"/comments", map[string]any{"body": commentBefore}, client.WithHeader("Idempotency-Key", "before"))
	_, err = speaker.Must(t.Context(), p.ben, http.MethodPatch, "/api/v1/me/notification-preferences",
		map[string]any{"preferences": []map[string]any{{"kind": "task_commented", "channel": "email", "enabled": false}}})
	require.NoError(t, err)
	open := ada.post(t, p.organization+"/invitations", map[string]any{"email": client.NewPerson("Dora").Email, "roleId": "viewer"})
	p.open = p.organization + "/invitations/" + open.Text("id")
	last := ada.post(t, p.organization+"/invitations", map[string]any{"email": p.cleo.Email, "roleId": "member"})
	_, p.invitation, err = speaker.AwaitMail(t.Context(), p.cleo.Email, client.TokenPattern)
	require.NoError(t, err)
	require.NoError(t, client.Await(t.Context(), func() error {
		p.notifications = ben.get(t, "/api/v1/me/notifications").List("notifications")
		p.records = ada.records(t, p.organization)
		if len(p.notifications) < 2 || p.records[last.Header.Get("X-Correlation-Id")+" organization.invitation.sent"] == 0 {
			return fmt.Errorf("only this has been heard of: %v, %v", p.notifications, p.records)
		}
		return nil
	}))
	p.keys = ada.get(t, "/.well-known/jwks.json").Body
	p.endUnheard(t, running, ada)
	return p
}

// endUnheard makes a change whose event reaches the broker, while audit can't reach its database; then everything ends.
func (p *past) endUnheard(t *testing.T, running *deployment.Deployment, ada person) {
	t.Helper()
	server, err := embedded.Attach(filepath.Join(running.DataDir, "postgres"))
	require.NoError(t, err)
	connection := connect(t, server.SuperuserURL(databaseOf(workflow.Name)))
	execute(t, connection, `alter database `+databaseOf(audit.Name)+` allow_connections false`)
	execute(t, connection, endSessions, databaseOf(audit.Name))
	p.unheard = ada.post(t, p.task+"/comments", map[string]any{"body": "heard by nobody"}).Header.Get("X-Correlation-Id")
	require.NoError(t, client.Await(t.Context(), func() error {
		var waiting int
		if err := connection.QueryRow(t.Context(), `select count(*) from outbox`).Scan(&waiting); err != nil || waiting > 0 {
			return fmt.Errorf("%d events wait for the broker, %w", waiting, err)
		}
		return nil
	}))
	require.NoError(t, connection.Close(t.Context()))
	require.NoError(t, running.Kill("braid"))
}

const waiting = "waiting-before"

// leaveWaiting adds an event that was committed and not yet published when braid ended, and looks that audit has indeed
// not recorded the other.
func (p *past) leaveWaiting(t *testing.T, server *embedded.Server) {
	t.Helper()
	payload, err := proto.Marshal(&workflowv1.TaskCreated{Task: &workflowv1.Task{
		Id: id.New().String(), OrganizationId: idOf(p.organization), ProjectId: idOf(p.project),
		Number: 1, Key: "OLD-1", Title: "written before", Status: "todo", ReporterId: p.ada.ID,
	}})
	require.NoError(t, err)
	attributes, err := json.Marshal(map[string]any{"actorKind": "user", "userId": p.ada.ID, "correlationId": waiting})
	require.NoError(t, err)
	connection := connect(t, server.SuperuserURL(databaseOf(workflow.Name)))
	execute(t, connection, `insert into outbox (event_id, key, organization_id, type, schema, subject, occurred_at, attributes, payload)
		values ($1, $2, $2, 'workflow.task.created', 'braid.workflow.v1.TaskCreated', $3, $4, $5, $6)`,
		id.New().String(), idOf(p.organization), "task/"+idOf(p.task), time.Now(), string(attributes), payload)
	require.NoError(t, connection.Close(t.Context()))
	connection = connect(t, server.SuperuserURL(databaseOf(audit.Name)))
	err = connection.QueryRow(t.Context(), `select true from audit_record where correlation_id = $1`, p.unheard).Scan(new(bool))
	require.ErrorIs(t, err, pgx.ErrNoRows, "audit has recorded what is to be heard of after the upgrade")
	require.NoError(t, connection.Close(t.Context()))
}

// lasting are hashes of the files that stay as they are for the life of a data directory: version, keys, the broker's
// password.
func lasting(t *testing.T, dataDir string) map[string]string {
	t.Helper()
	kept := map[string]string{}
	paths, err := filepath.Glob(filepath.Join(dataDir, "keys", "*"))
	require.NoError(t, err)
	require.Greater(t, len(paths), 5)
	for _, path := range append(paths, filepath.Join(dataDir, "VERSION"), filepath.Join(dataDir, "kcat.conf")) {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		var lines []string
		for line := range strings.Lines(string(content)) {
			if !strings.HasPrefix(line, "bootstrap.servers=") { // The port is another in each run.
				lines = append(lines, line)
			}
		}
		kept[filepath.Base(path)] = fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(lines, ""))))
	}
	return kept
}

// idOf returns the last part of a resource's path.
func idOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
