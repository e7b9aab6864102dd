package kill_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/test/client"
	"github.com/braidhq/braid/test/deployment"
)

const (
	organizations           = 2
	projectsPerOrganization = 2
)

// tenant is one organization: an owner, two members, and its projects.
type tenant struct {
	path, id string
	owner    *client.Person
	people   []*client.Person
	// projects are their ids.
	projects []string
	// mailed is who gets e-mails; the others have turned them off.
	mailed *client.Person
}

// prepare makes the tenants. Nothing is killed yet.
func prepare(t *testing.T, running *deployment.Deployment) []*tenant {
	t.Helper()
	speaker := client.New(running.URL, running.AdminURL)
	var tenants []*tenant
	for i := range organizations {
		made := &tenant{}
		for _, name := range []string{"Ada", "Ben", "Cleo"} {
			person, err := speaker.SignUp(t.Context(), name)
			require.NoError(t, err)
			made.people = append(made.people, person)
		}
		made.owner, made.mailed = made.people[0], made.people[1]
		var err error
		made.path, err = speaker.CreateOrganization(t.Context(), made.owner, "Organization "+string(rune('A'+i)))
		require.NoError(t, err)
		made.id = made.path[strings.LastIndexByte(made.path, '/')+1:]
		for _, person := range made.people[1:] {
			require.NoError(t, speaker.Join(t.Context(), made.path, made.owner, person, "member"))
		}
		for _, person := range made.people {
			if person != made.mailed {
				muteMails(t, speaker, person)
			}
		}
		for j := range projectsPerOrganization {
			answer, err := speaker.Must(t.Context(), made.owner, http.MethodPost, made.path+"/projects",
				map[string]any{"key": "P" + string(rune('A'+j)), "displayName": "Project"})
			require.NoError(t, err)
			made.projects = append(made.projects, answer.Text("id"))
		}
		tenants = append(tenants, made)
	}
	return tenants
}

func muteMails(t *testing.T, speaker *client.Client, person *client.Person) {
	t.Helper()
	var rows []map[string]any
	for _, kind := range []string{"task_assigned", "task_commented", "task_status_changed"} {
		rows = append(rows, map[string]any{"kind": kind, "channel": "email", "enabled": false})
	}
	_, err := speaker.Must(t.Context(), person, http.MethodPatch, "/api/v1/me/notification-preferences", map[string]any{"preferences": rows})
	require.NoError(t, err)
}

// readList hands over every item of a list, page by page.
func readList(ctx context.Context, speaker *client.Client, who *client.Person, path, key string, take func(item map[string]any) error) error {
	for token := ""; ; {
		answer, err := read(ctx, speaker, who, path+"?pageSize=200&pageToken="+token)
		if err != nil {
			return err
		}
		for _, item := range answer.List(key) {
			if err := take(item); err != nil {
				return err
			}
		}
		if token = answer.Text("nextPageToken"); token == "" {
			return nil
		}
	}
}

// read is a GET that logs in again when the session's token has expired.
func read(ctx context.Context, speaker *client.Client, who *client.Person, path string) (client.Answer, error) {
	answer, err := speaker.Do(ctx, who, http.MethodGet, path, nil)
	if err == nil && answer.Status == http.StatusUnauthorized {
		if err := speaker.Login(ctx, who); err != nil {
			return answer, err
		}
	}
	return speaker.Must(ctx, who, http.MethodGet, path, nil)
}
