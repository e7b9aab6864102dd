package e2e_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var exportLink = regexp.MustCompile(`/data-export\?token=([A-Za-z0-9_-]+)`)

// testDataExport has two people work in one organization, and gives one of them what every service holds of her: all of
// that, and nothing of him.
func testDataExport(t *testing.T, s *suite) {
	at := s.place(t)
	ada, ben := s.signUp(t, "Ada"), s.signUp(t, "Ben")
	s.join(t, at.organization, at.owner, ada, "admin")
	s.join(t, at.organization, at.owner, ben, "member")
	project := s.project(t, at.organization, ada, "EXP")
	task, _ := s.task(t, project, ada, "What Ada reported")
	s.must(t, ada, http.MethodPost, task+":assign", map[string]any{"assigneeId": ben.ID})
	s.must(t, ben, http.MethodPost, task+"/comments", map[string]any{"body": "What Ben wrote"})
	s.must(t, ada, http.MethodPost, task+"/comments", map[string]any{"body": "What Ada wrote"})
	s.must(t, ada, http.MethodPost, at.organization+"/invitations", map[string]any{"email": "invited-" + ben.Email, "roleId": "member"})
	s.awaitNotifications(t, ada, "", "task_commented")

	export := s.must(t, ada, http.MethodPost, "/api/v1/me/data-exports", map[string]any{})
	_, token, err := s.AwaitMail(t.Context(), ada.Email, exportLink)
	require.NoError(t, err)
	path := "/api/v1/me/data-exports/" + export.Text("id")
	require.Equal(t, "READY", s.get(t, ada, path).Text("state"))
	s.refused(t, http.StatusNotFound, "NOT_FOUND", ben, http.MethodGet, path, nil)
	page := s.do(t, nil, http.MethodGet, "/data-export?token="+token, nil)
	require.Contains(t, string(page.Raw), "/api/v1/data-exports/"+token, "the mail's link leads to a page, and that to the archive")

	archive := s.do(t, nil, http.MethodGet, "/api/v1/data-exports/"+token, nil)
	require.Equal(t, http.StatusOK, archive.Status, string(archive.Raw))
	s.refused(t, http.StatusNotFound, "NOT_FOUND", nil, http.MethodGet, "/api/v1/data-exports/"+token, nil)
	require.Equal(t, "DOWNLOADED", s.get(t, ada, path).Text("state"))
	files := unzip(t, archive.Raw)
	for section, wanted := range map[string]string{
		"account": ada.Email, "memberships": idOf(at.organization), "invitations-made": "PENDING", "projects": idOf(project),
		"tasks-reported": "What Ada reported", "comments": "What Ada wrote", "notifications": "task_commented", "mails": "task_commented",
		"actions": "workflow.task.created", "account-history": "identity.user.registered", "sessions": "createTime",
	} {
		require.Contains(t, strings.ToLower(files[section+".json"]), strings.ToLower(wanted), section)
		require.Contains(t, files["index.html"], `id="`+section+`"`)
	}
	for name, content := range files {
		require.NotContains(t, content, ben.Email, name)
		require.NotContains(t, content, "What Ben wrote", name)
		require.NotContains(t, content, at.owner.Email, name)
		if strings.HasSuffix(name, ".json") {
			require.True(t, json.Valid([]byte(content)), name)
		}
	}
	require.NotContains(t, files["index.html"], "<script")
}

func unzip(t *testing.T, archive []byte) map[string]string {
	t.Helper()
	reader, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	require.NoError(t, err)
	files := map[string]string{}
	for _, file := range reader.File {
		opened, err := file.Open()
		require.NoError(t, err)
		content, err := io.ReadAll(opened)
		require.NoError(t, err)
		files[file.Name] = string(content)
	}
	return files
}
