package bench

import (
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/crypto/argon2"

	"github.com/braidhq/braid/platform/id"
)

// floorDatabase tells the floor's process which database to read. It is a password, so it is no argument.
const floorDatabase = "BRAID_BENCH_FLOOR_DATABASE_URL"

// floorConnections is the pool of the floor: more made it slower where this was written.
const floorConnections = 16

// ServeFloor runs the bare handlers that reads are compared with: net/http, a pgx pool with prepared statements, JSON
// written by hand; no authentication, no tenancy, no log. It serves until ctx ends.
func ServeFloor(ctx context.Context, address string) error {
	pool, err := openPool(ctx, os.Getenv(floorDatabase), floorConnections)
	if err != nil {
		return err
	}
	defer pool.Close()
	floor := &floor{pool: pool, hashing: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ready", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /tasks/{organization}/{task}", floor.getTask)
	mux.HandleFunc("GET /projects/{organization}/{project}", floor.listTasks)
	mux.HandleFunc("POST /null", floor.answerNull)
	mux.HandleFunc("POST /hash", floor.hash)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: requestTimeout}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	stopping := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stopping()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

type floor struct {
	pool *pgxpool.Pool
	// hashing has room for as many as the product hashes at once.
	hashing chan struct{}
}

// floorTask is a row as the driver gives it.
type floorTask struct {
	organizationID, id, projectID [16]byte
	number                        int32
	projectKey, title             string
	description, status           string
	priority                      int16
	assigneeID                    *[16]byte
	reporterID                    [16]byte
	dueAt                         *time.Time
	labels                        []string
	createdAt, updatedAt          time.Time
	revision                      int64
}

const floorColumns = `select organization_id, id, project_id, number, project_key, title, description, status, priority, assignee_id,
	reporter_id, due_at, labels, created_at, updated_at, revision from task `

func (t *floorTask) targets() []any {
	return []any{
		&t.organizationID, &t.id, &t.projectID, &t.number, &t.projectKey, &t.title, &t.description, &t.status, &t.priority,
		&t.assigneeID, &t.reporterID, &t.dueAt, &t.labels, &t.createdAt, &t.updatedAt, &t.revision,
	}
}

func (f *floor) getTask(w http.ResponseWriter, r *http.Request) {
	var task floorTask
	organizationID, taskID, err := parsePair(r.PathValue("organization"), r.PathValue("task"))
	if err == nil {
		err = f.pool.QueryRow(r.Context(), floorColumns+"where organization_id = $1 and id = $2", organizationID, taskID).Scan(task.targets()...)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(task.appendJSON(make([]byte, 0, 1024)))
}

func (f *floor) listTasks(w http.ResponseWriter, r *http.Request) {
	organizationID, projectID, err := parsePair(r.PathValue("organization"), r.PathValue("project"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	rows, err := f.pool.Query(r.Context(), floorColumns+"where organization_id = $1 and project_id = $2 order by number limit 51", organizationID, projectID)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer rows.Close()
	body := append(make([]byte, 0, 64<<10), `{"tasks":[`...)
	for count := 0; rows.Next(); count++ {
		var task floorTask
		if err := rows.Scan(task.targets()...); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if count == listed {
			break
		}
		if count > 0 {
			body = append(body, ',')
		}
		body = task.appendJSON(body)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, `],"nextPageToken":"next"}`...))
}

func (f *floor) answerNull(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"allowed":true,"reason":""}`))
}

// hash is one argon2id with the parameters that the product comes with.
func (f *floor) hash(w http.ResponseWriter, _ *http.Request) {
	f.hashing <- struct{}{}
	key := argon2.IDKey([]byte(password), []byte("sixteen of bytes"), 2, 19<<10, 1, 32)
	<-f.hashing
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(append([]byte(`{"key":"`), base64.StdEncoding.EncodeToString(key)...), `"}`...))
}

func parsePair(first, second string) ([16]byte, [16]byte, error) {
	one, err := id.Parse(first)
	other, otherErr := id.Parse(second)
	return one, other, errors.Join(err, otherErr)
}

// appendJSON writes what the product answers, field by field.
func (t *floorTask) appendJSON(dst []byte) []byte {
	dst = appendText(append(dst, '{'), "id", id.ID(t.id).String())
	dst = appendText(append(dst, ','), "organizationId", id.ID(t.organizationID).String())
	dst = appendText(append(dst, ','), "projectId", id.ID(t.projectID).String())
	dst = strconv.AppendInt(append(dst, `,"number":`...), int64(t.number), 10)
	dst = appendText(append(dst, ','), "key", t.projectKey+"-"+strconv.Itoa(int(t.number)))
	dst = appendText(append(dst, ','), "title", t.title)
	dst = appendText(append(dst, ','), "description", t.description)
	dst = appendText(append(dst, ','), "status", t.status)
	dst = appendText(append(dst, ','), "priority", [...]string{"", "LOW", "NORMAL", "HIGH", "URGENT"}[t.priority])
	if t.assigneeID != nil {
		dst = appendText(append(dst, ','), "assigneeId", id.ID(*t.assigneeID).String())
	}
	dst = appendText(append(dst, ','), "reporterId", id.ID(t.reporterID).String())
	if t.dueAt != nil {
		dst = t.dueAt.AppendFormat(append(dst, `,"dueTime":"`...), time.RFC3339Nano)
		dst = append(dst, '"')
	}
	dst = append(dst, `,"labels":[`...)
	for i, label := range t.labels {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendQuote(dst, label)
	}
	dst = t.createdAt.AppendFormat(append(dst, `],"createTime":"`...), time.RFC3339Nano)
	dst = t.updatedAt.AppendFormat(append(dst, `","updateTime":"`...), time.RFC3339Nano)
	dst = strconv.AppendInt(append(dst, `","etag":"`...), t.revision, 10)
	return append(dst, `"}`...)
}

func appendText(dst []byte, name, value string) []byte {
	dst = append(append(append(dst, '"'), name...), `":`...)
	return strconv.AppendQuote(dst, value)
}

// floorProcess is the running floor.
type floorProcess struct {
	*child
	address string
}

func startFloor(ctx context.Context, binary, directory, url string) (*floorProcess, error) {
	addresses, err := freeAddresses(1)
	if err != nil {
		return nil, err
	}
	started, err := startChild(ctx, binary, filepath.Join(directory, "floor.log"), "the floor", "http://"+addresses[0]+"/ready",
		[]string{floorDatabase + "=" + url}, "bench", "floor", addresses[0])
	if err != nil {
		return nil, err
	}
	return &floorProcess{child: started, address: addresses[0]}, nil
}

func (f *floorProcess) stop() error {
	if f == nil {
		return nil
	}
	return f.child.stop()
}
