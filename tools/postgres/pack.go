package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// manifest is the archive's first file. platform/pg/embedded reads it.
type manifest struct {
	Version string  `json:"version"`
	OS      string  `json:"os"`
	Arch    string  `json:"arch"`
	Files   []entry `json:"files"`
}

// entry is one file of the server: a regular one with mode and hash, or a link to one in the same directory.
type entry struct {
	Path       string `json:"path"`
	SHA256     string `json:"sha256,omitempty"`
	Executable bool   `json:"executable,omitempty"`
	Link       string `json:"link,omitempty"`
	content    []byte
}

// extensions are the ones worth their bytes; plpgsql is part of every database.
var extensions = []string{"plpgsql", "btree_gin", "btree_gist", "citext", "pg_stat_statements", "pg_trgm", "pgcrypto", "unaccent"}

// libraries that no server program needs: those of embedded SQL, and of extensions left out.
var unneededLibrary = regexp.MustCompile(`^lib(ecpg|pgtypes|xslt|ossp-uuid|uuid)\b`)

// keep reports whether a server needs a file, by its path below the package's native directory.
func keep(name string) bool {
	directory, base := path.Split(name)
	switch {
	case directory == "bin/":
		return base == "postgres" || base == "initdb"
	case directory == "lib/":
		return !strings.HasSuffix(base, ".a") && !unneededLibrary.MatchString(base)
	case strings.HasPrefix(directory, "lib/postgresql/"):
		module, _, _ := strings.Cut(base, ".")
		return directory == "lib/postgresql/" && (module == "dict_snowball" || slices.Contains(extensions, module))
	case directory == "share/postgresql/extension/":
		extension, _, _ := strings.Cut(strings.TrimSuffix(base, ".control"), "--")
		return slices.Contains(extensions, extension)
	case strings.HasPrefix(directory, "share/postgresql/"):
		return base != "psqlrc.sample" && base != "pg_service.conf.sample"
	}
	return false
}

// collect reads the files of the package that a server needs, sorted by path.
func collect(root string) ([]entry, error) {
	native := filepath.Join(root, "native")
	var entries []entry
	err := filepath.WalkDir(native, func(name string, found fs.DirEntry, err error) error {
		if err != nil || !found.Type().IsRegular() {
			return err
		}
		relative, err := filepath.Rel(native, name)
		if err != nil || !keep(filepath.ToSlash(relative)) {
			return err
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative = filepath.ToSlash(relative)
		hash := sha256.Sum256(content)
		entries = append(entries, entry{Path: relative, SHA256: hex.EncodeToString(hash[:]),
			Executable: strings.HasPrefix(relative, "bin/"), content: content})
		return nil
	})
	if err != nil {
		return nil, err
	}
	links, err := readLinks(native)
	if err != nil {
		return nil, err
	}
	license, err := os.ReadFile(filepath.Join(root, "LICENSE.md"))
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(license)
	entries = append(entries, links...)
	entries = append(entries, entry{Path: "LICENSE.md", SHA256: hex.EncodeToString(hash[:]), content: license})
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.Path, b.Path) })
	if !slices.ContainsFunc(entries, func(e entry) bool { return e.Path == "bin/postgres" }) {
		return nil, errors.New("the package holds no bin/postgres")
	}
	return entries, nil
}

// readLinks returns the links that npm cannot carry and the package describes instead.
func readLinks(native string) ([]entry, error) {
	content, err := os.ReadFile(filepath.Join(native, "pg-symlinks.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var described []struct{ Source, Target string }
	if err := json.Unmarshal(content, &described); err != nil {
		return nil, fmt.Errorf("pg-symlinks.json: %w", err)
	}
	var entries []entry
	for _, link := range described {
		source, target := strings.TrimPrefix(link.Source, "native/"), strings.TrimPrefix(link.Target, "native/")
		if !keep(source) || !keep(target) {
			continue
		}
		if path.Dir(source) != path.Dir(target) {
			return nil, fmt.Errorf("pg-symlinks.json: %s leads to another directory", link.Target)
		}
		entries = append(entries, entry{Path: target, Link: path.Base(source)})
	}
	return entries, nil
}

func packageVersion(root string) (string, error) {
	content, err := os.ReadFile(filepath.Join(root, "package.json"))
	if err != nil {
		return "", err
	}
	var described struct{ Version string }
	if err := json.Unmarshal(content, &described); err != nil {
		return "", err
	}
	// 18.4.0-beta.17: the server is 18.4, the rest counts the packages.
	parts := strings.SplitN(described.Version, ".", 3)
	if len(parts) != 3 {
		return "", fmt.Errorf("%q is not a version", described.Version)
	}
	return parts[0] + "." + parts[1], nil
}

// pack writes the archive without times and owners, which would make two builds differ.
func pack(described manifest, entries []entry) ([]byte, error) {
	described.Files = entries
	head, err := json.Marshal(described)
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	compressor, err := zstd.NewWriter(&archive, zstd.WithEncoderLevel(zstd.SpeedBestCompression),
		zstd.WithWindowSize(8<<20), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	writer := tar.NewWriter(compressor)
	write := func(header *tar.Header, content []byte) error {
		header.Format = tar.FormatPAX
		header.Size = int64(len(content))
		if err := writer.WriteHeader(header); err != nil {
			return err
		}
		_, err := writer.Write(content)
		return err
	}
	if err := write(&tar.Header{Typeflag: tar.TypeReg, Name: "manifest.json", Mode: 0o644}, head); err != nil {
		return nil, err
	}
	for _, file := range entries {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: file.Path, Mode: 0o644}
		if file.Executable {
			header.Mode = 0o755
		}
		if file.Link != "" {
			header.Typeflag, header.Linkname = tar.TypeSymlink, file.Link
		}
		if err := write(header, file.content); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(writer.Close(), compressor.Close()); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}
