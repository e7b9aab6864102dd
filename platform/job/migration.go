package job

import (
	"embed"
	"fmt"
	"strings"
	"testing/fstest" // MapFS is the standard library's file system in memory

	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/braidhq/braid/platform/pg"
)

//go:embed migrations/*.sql
var ownMigrations embed.FS

// versionTable counts the migrations of this package.
const versionTable = "goose_job_version"

// riverVersionStep leaves room behind each of River's migrations for ours: River's version 8 is 800, what we do about
// its tables is 801 and up, and its version 9 will come after all that.
const riverVersionStep = 100

// Migrations returns River's tables and what Braid adds to them, as one set. River's own migrations come from the
// library, so that a newer library brings its newer tables along.
func Migrations() (pg.MigrationSet, error) {
	migrator, err := rivermigrate.New(riverpgxv5.New(nil), nil)
	if err != nil {
		return pg.MigrationSet{}, fmt.Errorf("list River's migrations: %w", err)
	}
	files := fstest.MapFS{}
	for _, migration := range migrator.AllVersions() {
		name := fmt.Sprintf("%05d_river_%s.sql", migration.Version*riverVersionStep,
			strings.ReplaceAll(migration.Name, " ", "_"))
		// Goose cuts at semicolons otherwise, and River's functions are full of them.
		content := "-- +goose Up\n-- +goose StatementBegin\n" + migration.SQLUp + "\n-- +goose StatementEnd\n"
		files[name] = &fstest.MapFile{Data: []byte(content)}
	}
	own, err := ownMigrations.ReadDir("migrations")
	if err != nil {
		return pg.MigrationSet{}, fmt.Errorf("list job migrations: %w", err)
	}
	for _, entry := range own {
		content, err := ownMigrations.ReadFile("migrations/" + entry.Name())
		if err != nil {
			return pg.MigrationSet{}, fmt.Errorf("read job migration: %w", err)
		}
		files[entry.Name()] = &fstest.MapFile{Data: content}
	}
	return pg.MigrationSet{Name: "job", FS: files, Table: versionTable}, nil
}
