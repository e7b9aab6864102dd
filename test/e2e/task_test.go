package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/test/client"
)

func testTask(t *testing.T, s *suite) {
	at := s.place(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *suite, place)
	}{
		{"NumbersHaveNoGaps", testNumbers}, {"Transitions", testTransitions}, {"Etags", testEtags}, {"Masks", testMasks},
		{"Archive", testArchive}, {"Filters", testFilters}, {"Pages", testPages}, {"Comments", testComments},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, s, at)
		})
	}
}

func testNumbers(t *testing.T, s *suite, at place) {
	const writers, each = 8, 10
	project := s.project(t, at.organization, at.owner, "NUM")
	var running sync.WaitGroup
	for writer := range writers {
		running.Go(func() {
			for i := range each {
				body := map[string]any{"title": fmt.Sprint(writer, "/", i)}
				answer, err := s.Do(t.Context(), at.owner, http.MethodPost, project+"/tasks", body)
				if err != nil || answer.Status != http.StatusOK {
					t.Errorf("create task: %v %s", err, answer.Raw)
				}
			}
		})
	}
	running.Wait()
	tasks := s.get(t, at.owner, project+"/tasks?pageSize=200&orderBy=number").List("tasks")
	require.Len(t, tasks, writers*each)
	for i, task := range tasks {
		require.EqualValues(t, i+1, task["number"])
		require.Equal(t, "NUM-"+strconv.Itoa(i+1), task["key"])
	}
	// A number that was deleted is not given again.
	s.must(t, at.owner, http.MethodDelete, at.organization+"/tasks/"+tasks[len(tasks)-1]["id"].(string), nil)
	_, next := s.task(t, project, at.owner, "After")
	require.EqualValues(t, writers*each+1, next.Value("number"))
}

// ways leads to each status, moves what may follow it.
var (
	statusWays = map[string][]string{
		"todo": {}, "in_progress": {"in_progress"}, "in_review": {"in_progress", "in_review"},
		"done": {"in_progress", "in_review", "done"}, "cancelled": {"cancelled"},
	}
	statusMoves = map[string][]string{
		"todo": {"in_progress", "cancelled"}, "in_progress": {"todo", "in_review", "cancelled"},
		"in_review": {"in_progress", "done", "cancelled"}, "done": {"in_progress"}, "cancelled": {"todo"},
	}
)

func testTransitions(t *testing.T, s *suite, at place) {
	project := s.project(t, at.organization, at.owner, "MOV")
	for from, way := range statusWays {
		for to := range statusWays {
			path, _ := s.task(t, project, at.owner, from+" → "+to)
			for _, status := range way {
				s.must(t, at.owner, http.MethodPost, path+":transition", map[string]any{"status": status})
			}
			if slices.Contains(statusMoves[from], to) {
				moved := s.must(t, at.owner, http.MethodPost, path+":transition", map[string]any{"status": to})
				require.Equal(t, to, moved.Text("status"))
				continue
			}
			refused := s.refused(t, http.StatusConflict, "TRANSITION_NOT_ALLOWED", at.owner, http.MethodPost, path+":transition", map[string]any{"status": to})
			require.Equal(t, map[string]any{"status": from, "allowed": strings.Join(statusMoves[from], ",")}, infoOf(refused))
			require.Equal(t, from, s.get(t, at.owner, path).Text("status"))
		}
	}
	path, _ := s.task(t, project, at.owner, "unknown")
	s.refused(t, http.StatusBadRequest, "INVALID_ARGUMENT", at.owner, http.MethodPost, path+":transition", map[string]any{"status": "blocked"})
}

// infoOf is the metadata of an error's ErrorInfo.
func infoOf(answer client.Answer) map[string]any {
	details, _ := answer.Value("error.details").([]any)
	for _, detail := range details {
		if fields, ok := detail.(map[string]any); ok && fields["@type"] == "type.googleapis.com/google.rpc.ErrorInfo" {
			metadata, _ := fields["metadata"].(map[string]any)
			return metadata
		}
	}
	return nil
}

func testEtags(t *testing.T, s *suite, at place) {
	project := s.project(t, at.organization, at.owner, "TAG")
	path, made := s.task(t, project, at.owner, "One")
	stale := made.Text("etag")
	require.NotEmpty(t, stale)
	second := s.must(t, at.owner, http.MethodPatch, path, map[string]any{"title": "Two", "etag": stale})
	require.NotEqual(t, stale, second.Text("etag"))
	current := map[string]any{"etag": second.Text("etag")}
	for _, request := range []struct{ method, path string }{
		{http.MethodPatch, path}, {http.MethodPost, path + ":transition"}, {http.MethodPost, path + ":assign"}, {http.MethodDelete, path + "?etag=" + url.QueryEscape(stale)},
	} {
		body := map[string]any{"etag": stale}
		switch {
		case strings.HasSuffix(request.path, ":transition"):
			body["status"] = "in_progress"
		case strings.HasSuffix(request.path, ":assign"):
			body["assigneeId"] = ""
		case request.method == http.MethodPatch:
			body["title"] = "Three"
		}
		var sent any = body
		if request.method == http.MethodDelete {
			sent = nil
		}
		refused := s.refused(t, http.StatusConflict, "ETAG_MISMATCH", at.owner, request.method, request.path, sent)
		require.Equal(t, current, infoOf(refused), "the refusal tells the current one")
	}
	require.Equal(t, "Two", s.get(t, at.owner, path).Text("title"))
	for _, resource := range []string{project, at.organization} {
		s.refused(t, http.StatusConflict, "ETAG_MISMATCH", at.owner, http.MethodPatch, resource, map[string]any{"displayName": "Never", "etag": "stale"})
	}
	s.must(t, at.owner, http.MethodDelete, path+"?etag="+url.QueryEscape(second.Text("etag")), nil)
	s.refused(t, http.StatusNotFound, "NOT_FOUND", at.owner, http.MethodGet, path, nil)
}

func testMasks(t *testing.T, s *suite, at place) {
	project := s.project(t, at.organization, at.owner, "MSK")
	due := time.Now().UTC().Add(48 * time.Hour).Truncate(time.Second).Format(time.RFC3339)
	made := s.must(t, at.owner, http.MethodPost, project+"/tasks", map[string]any{
		"title": "Title", "description": "Description", "priority": "HIGH", "dueTime": due, "labels": []string{"b", "a"}, "assigneeId": at.owner.ID,
	})
	path := at.organization + "/tasks/" + made.Text("id")
	check := func(answer client.Answer, wanted map[string]any) {
		t.Helper()
		for name, value := range wanted {
			require.Equal(t, value, answer.Value(name), name)
		}
	}
	check(made, map[string]any{"priority": "HIGH", "dueTime": due, "labels": []any{"a", "b"}, "status": "todo", "reporterId": at.owner.ID})
	// Without a mask the fields present change, and no others.
	check(s.must(t, at.owner, http.MethodPatch, path, map[string]any{"title": "New"}),
		map[string]any{"title": "New", "description": "Description", "priority": "HIGH", "labels": []any{"a", "b"}})
	// With one, only its fields change, and one that is absent from the body is cleared.
	check(s.must(t, at.owner, http.MethodPatch, path+"?updateMask=description,dueTime", map[string]any{"title": "Ignored"}),
		map[string]any{"title": "New", "description": "", "dueTime": nil, "priority": "HIGH"})
	check(s.must(t, at.owner, http.MethodPatch, path+"?updateMask=labels,assigneeId", map[string]any{}),
		map[string]any{"labels": []any{}, "assigneeId": ""})
	// What is only shown may be sent back as it was read, and changes nothing.
	check(s.must(t, at.owner, http.MethodPatch, path, map[string]any{"number": 99, "key": "X-1", "reporterId": at.owner.ID, "title": "New"}),
		map[string]any{"number": made.Value("number"), "key": made.Text("key"), "reporterId": at.owner.ID})
	for _, mask := range []string{"nothing", "status", "title,nothing"} {
		s.refused(t, http.StatusBadRequest, "INVALID_ARGUMENT", at.owner, http.MethodPatch, path+"?updateMask="+mask, map[string]any{"title": "Never"})
	}
	s.refused(t, http.StatusBadRequest, "INVALID_ARGUMENT", at.owner, http.MethodPatch, path+"?updateMask=title", map[string]any{})
	// What an update can't change must not look as if it had.
	s.refused(t, http.StatusBadRequest, "INVALID_ARGUMENT", at.owner, http.MethodPatch, path, map[string]any{"title": "Never", "projectId": at.owner.ID})
	require.Equal(t, "New", s.get(t, at.owner, path).Text("title"))
}

func testArchive(t *testing.T, s *suite, at place) {
	project := s.project(t, at.organization, at.owner, "ARC")
	path, _ := s.task(t, project, at.owner, "Kept")
	comment := s.must(t, at.owner, http.MethodPost, path+"/comments", map[string]any{"body": "Kept"})
	require.Equal(t, true, s.must(t, at.owner, http.MethodPost, project+":archive", map[string]any{}).Value("archived"))
	for _, write := range []struct {
		method, path string
		body         any
	}{
		{http.MethodPost, project + "/tasks", map[string]any{"title": "No"}}, {http.MethodPatch, project, map[string]any{"displayName": "No"}},
		{http.MethodPatch, path, map[string]any{"title": "No"}}, {http.MethodPost, path + ":assign", map[string]any{"assigneeId": at.owner.ID}},
		{http.MethodPost, path + ":transition", map[string]any{"status": "in_progress"}}, {http.MethodDelete, path, nil},
		{http.MethodPost, path + "/comments", map[string]any{"body": "No"}},
		{http.MethodPatch, path + "/comments/" + comment.Text("id"), map[string]any{"body": "No"}}, {http.MethodDelete, path + "/comments/" + comment.Text("id"), nil},
	} {
		s.refused(t, http.StatusConflict, "PROJECT_ARCHIVED", at.owner, write.method, write.path, write.body)
	}
	require.Equal(t, "Kept", s.get(t, at.owner, path).Text("title"))
	require.Equal(t, "Kept", s.get(t, at.owner, path+"/comments").List("comments")[0]["body"])
	listed := s.get(t, at.owner, at.organization+"/projects?filter="+url.QueryEscape("archived = true"))
	require.Contains(t, textsOf(listed.List("projects"), "key"), "ARC")
	require.Equal(t, false, s.must(t, at.owner, http.MethodPost, project+":unarchive", map[string]any{}).Value("archived"))
	s.task(t, project, at.owner, "Again")
	s.refused(t, http.StatusConflict, "PROJECT_KEY_TAKEN", at.owner, http.MethodPost, at.organization+"/projects", map[string]any{"key": "ARC", "displayName": "Double"})
}

func testFilters(t *testing.T, s *suite, at place) {
	project := s.project(t, at.organization, at.owner, "FIL")
	create := func(title string, more map[string]any) {
		more["title"] = title
		made := s.must(t, at.owner, http.MethodPost, project+"/tasks", more)
		if title == "started" {
			s.must(t, at.owner, http.MethodPost, at.organization+"/tasks/"+made.Text("id")+":transition", map[string]any{"status": "in_progress"})
		}
	}
	create("plain", map[string]any{"priority": "LOW", "dueTime": "2030-01-01T00:00:00Z"})
	create("started", map[string]any{"priority": "NORMAL", "dueTime": "2031-01-01T00:00:00Z"})
	create("mine", map[string]any{"priority": "HIGH", "assigneeId": at.owner.ID})
	create("labeled 100% sure_ly", map[string]any{"priority": "URGENT", "labels": []string{"red", "blue"}})
	for filter, wanted := range map[string][]string{
		`status = "in_progress"`:                                {"started"},
		`status != "todo"`:                                      {"started"},
		`assigneeId = "` + at.owner.ID + `"`:                    {"mine"},
		`reporterId = "` + at.owner.ID + `" AND priority = LOW`: {"plain"},
		`priority = LOW OR priority = HIGH`:                     {"mine", "plain"},
		`NOT priority = LOW`:                                    {"labeled 100% sure_ly", "mine", "started"},
		`labels:"red"`:                                          {"labeled 100% sure_ly"},
		`labels:"re"`:                                           nil,
		`title:"LABEL"`:                                         {"labeled 100% sure_ly"},
		`title:"100%"`:                                          {"labeled 100% sure_ly"},
		`title:"sure_"`:                                         {"labeled 100% sure_ly"},
		`title:"p%n"`:                                           nil,
		`title:"' OR 1=1 --"`:                                   nil,
		`dueTime < "2030-06-01T00:00:00Z"`:                      {"plain"},
		`dueTime >= "2030-01-01T00:00:00Z"`:                     {"plain", "started"},
		`createTime > "2000-01-01T00:00:00Z" AND updateTime < "2100-01-01T00:00:00Z" AND title:"in"`: {"mine", "plain"},
	} {
		answer := s.do(t, at.owner, http.MethodGet, project+"/tasks?filter="+url.QueryEscape(filter), nil)
		require.Equal(t, http.StatusOK, answer.Status, "%s: %s", filter, answer.Raw)
		titles := textsOf(answer.List("tasks"), "title")
		slices.Sort(titles)
		require.Equal(t, strings.Join(wanted, "|"), strings.Join(titles, "|"), filter)
	}
	for _, filter := range []string{`status =`, `nothing = "x"`, `number = "x"`, `status = "a" "`, `dueTime < "yesterday"`, `priority = SOON`, `(((`, strings.Repeat("(", 500)} {
		s.refused(t, http.StatusBadRequest, "INVALID_ARGUMENT", at.owner, http.MethodGet, project+"/tasks?filter="+url.QueryEscape(filter), nil)
	}
	ordered := s.get(t, at.owner, project+"/tasks?orderBy="+url.QueryEscape("priority desc"))
	require.Equal(t, []string{"URGENT", "HIGH", "NORMAL", "LOW"}, textsOf(ordered.List("tasks"), "priority"))
	s.refused(t, http.StatusBadRequest, "INVALID_ARGUMENT", at.owner, http.MethodGet, project+"/tasks?orderBy=title", nil)
}

func testPages(t *testing.T, s *suite, at place) {
	project := s.project(t, at.organization, at.owner, "PAG")
	const count = 7
	for i := range count {
		s.must(t, at.owner, http.MethodPost, project+"/tasks", map[string]any{"title": fmt.Sprint(i), "priority": []string{"LOW", "HIGH"}[i%2]})
	}
	for _, order := range []string{"number", "number desc", "priority, number desc", "dueTime", ""} {
		var seen []string
		token, pages := "", 0
		for {
			page := s.get(t, at.owner, project+"/tasks?pageSize=3&orderBy="+url.QueryEscape(order)+"&pageToken="+url.QueryEscape(token))
			seen = append(seen, textsOf(page.List("tasks"), "key")...)
			token = page.Text("nextPageToken")
			if pages++; token == "" || pages > count {
				break
			}
			s.refused(t, http.StatusBadRequest, "PAGE_TOKEN_INVALID", at.owner, http.MethodGet, project+"/tasks?pageSize=3&filter="+url.QueryEscape("priority = LOW")+"&orderBy="+url.QueryEscape(order)+"&pageToken="+url.QueryEscape(token), nil)
		}
		require.Equal(t, 3, pages, order)
		whole := textsOf(s.get(t, at.owner, project+"/tasks?pageSize=1000&orderBy="+url.QueryEscape(order)).List("tasks"), "key")
		require.Equal(t, whole, seen, order)
		slices.Sort(seen)
		require.Len(t, slices.Compact(seen), count)
	}
	other := s.project(t, at.organization, at.owner, "PAH")
	token := s.get(t, at.owner, project+"/tasks?pageSize=1").Text("nextPageToken")
	for _, path := range []string{other + "/tasks?pageToken=" + url.QueryEscape(token), project + "/tasks?pageToken=garbage", project + "/tasks?pageToken=" + url.QueryEscape(token+"x"), at.organization + "/projects?pageToken=" + url.QueryEscape(token)} {
		s.refused(t, http.StatusBadRequest, "PAGE_TOKEN_INVALID", at.owner, http.MethodGet, path, nil)
	}
	s.refused(t, http.StatusBadRequest, "INVALID_ARGUMENT", at.owner, http.MethodGet, project+"/tasks?pageSize=-1", nil)
}

func testComments(t *testing.T, s *suite, at place) {
	project := s.project(t, at.organization, at.owner, "COM")
	path, _ := s.task(t, project, at.owner, "Discussed")
	ben := s.signUp(t, "Ben")
	s.join(t, at.organization, at.owner, ben, "admin")
	mine := s.must(t, ben, http.MethodPost, path+"/comments", map[string]any{"body": "Mine"})
	comment := path + "/comments/" + mine.Text("id")
	for _, method := range []string{http.MethodPatch, http.MethodDelete} {
		var body any
		if method == http.MethodPatch {
			body = map[string]any{"body": "Not yours"}
		}
		s.refused(t, http.StatusForbidden, "COMMENT_NOT_YOURS", at.owner, method, comment, body)
	}
	edited := s.must(t, ben, http.MethodPatch, comment, map[string]any{"body": "Edited"})
	require.Equal(t, "Edited", edited.Text("body"))
	require.Equal(t, ben.ID, edited.Text("authorId"))
	s.must(t, at.owner, http.MethodPost, path+"/comments", map[string]any{"body": "Second"})
	require.Equal(t, []string{"Edited", "Second"}, textsOf(s.get(t, ben, path+"/comments").List("comments"), "body"))
	s.must(t, ben, http.MethodDelete, comment, nil)
	require.Equal(t, []string{"Second"}, textsOf(s.get(t, ben, path+"/comments").List("comments"), "body"))
	s.refused(t, http.StatusNotFound, "NOT_FOUND", ben, http.MethodDelete, comment, nil)
}
