package pg

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pressly/goose/v3"
)

// defaultVersionTable is where a service's own migrations are counted.
const defaultVersionTable = "goose_db_version"

// MigrationSet is a series of migrations that is counted in a version table of its own, so that platform tables and a
// service's tables grow apart. Files are named NNNN_what.sql, in goose's format, at the root of FS or in its directory
// "migrations". In them {app}, {worker} and {owner} stand for the quoted names of the roles.
type MigrationSet struct {
	// Name is what people see in a status list: "outbox", or the service's name.
	Name string
	FS   fs.FS
	// Table is the version table; goose's own name when empty. Sets of one database need different ones.
	Table string
}

func (s MigrationSet) table() string { return cmp.Or(s.Table, defaultVersionTable) }

// migrationFile is one migration of a set.
type migrationFile struct {
	name    string
	version int64
}

// files lists the set's migrations in the order they run.
func (s MigrationSet) files() ([]migrationFile, fs.FS, error) {
	root := s.FS
	names, err := fs.Glob(root, "*.sql")
	if err == nil && len(names) == 0 {
		if root, err = fs.Sub(s.FS, "migrations"); err == nil {
			names, err = fs.Glob(root, "*.sql")
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list migrations of %s: %w", s.Name, err)
	}
	files := make([]migrationFile, 0, len(names))
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return nil, nil, fmt.Errorf("list migrations of %s: %s: the name has no version", s.Name, name)
		}
		files = append(files, migrationFile{name, version})
	}
	if len(files) == 0 {
		return nil, nil, fmt.Errorf("list migrations of %s: there are none", s.Name)
	}
	slices.SortFunc(files, func(a, b migrationFile) int { return cmp.Compare(a.version, b.version) })
	return files, root, nil
}

// checkSets refuses sets that would count into one table or cannot be told apart.
func checkSets(sets []MigrationSet) error {
	if len(sets) == 0 {
		return errors.New("there is no set of migrations")
	}
	names, tables := map[string]bool{}, map[string]bool{}
	for _, set := range sets {
		if set.Name == "" || set.FS == nil || names[set.Name] || tables[set.table()] {
			return fmt.Errorf("migration set %q: name, files and a version table of its own are required", set.Name)
		}
		names[set.Name], tables[set.table()] = true, true
	}
	return nil
}

// substitutedFS is a file system whose SQL files have the role placeholders filled in as they are read.
type substitutedFS struct {
	fs.FS
	replacer *strings.Replacer
}

func substituteRoles(files fs.FS, app, worker, owner string) fs.FS {
	return substitutedFS{files, strings.NewReplacer(
		// Quoted placeholders are valid SQL, so that sqlc can read the migrations.
		`"{app}"`, quote(app), `"{worker}"`, quote(worker), `"{owner}"`, quote(owner),
		"{app}", quote(app), "{worker}", quote(worker), "{owner}", quote(owner))}
}

// Open implements fs.FS.
func (s substitutedFS) Open(name string) (fs.File, error) {
	if path.Ext(name) != ".sql" {
		return s.FS.Open(name)
	}
	content, err := fs.ReadFile(s.FS, name)
	if err != nil {
		return nil, err
	}
	file, err := s.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return &substitutedFile{File: file, content: bytes.NewReader([]byte(s.replacer.Replace(string(content))))}, nil
}

type substitutedFile struct {
	fs.File
	content *bytes.Reader
}

var _ io.Reader = (*substitutedFile)(nil)

// Read implements fs.File.
func (f *substitutedFile) Read(buffer []byte) (int, error) { return f.content.Read(buffer) }
