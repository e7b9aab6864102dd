package embedded

import (
	"archive/tar"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// packed is the directory the archive is put into before the build; it may be without one.
//
//go:embed bundle
var packed embed.FS

const (
	archiveName = "bundle/postgres.tar.zst"
	// maxUnpacked bounds what one file of the archive may unpack to.
	maxUnpacked = 64 << 20
)

// manifest is the archive's first file. tools/postgres writes it.
type manifest struct {
	Version string         `json:"version"`
	OS      string         `json:"os"`
	Arch    string         `json:"arch"`
	Files   []manifestFile `json:"files"`
}

type manifestFile struct {
	Path       string `json:"path"`
	SHA256     string `json:"sha256"`
	Executable bool   `json:"executable"`
	Link       string `json:"link"`
}

// bundle is a packed server. Its archive is read as a stream, and a start that finds the server unpacked reads no more
// than the manifest: what is read of it stays in memory as a part of the program.
type bundle struct {
	files fs.FS
	// name is the directory it is unpacked to. It changes with the content of any file.
	name string
	manifest
}

// openBundle returns the server packed into this program, or nil when there is none for this platform.
func openBundle(files fs.FS) (*bundle, error) {
	opened := &bundle{files: files}
	err := opened.walk(func(header *tar.Header, content io.Reader) error {
		if header.Name != "manifest.json" {
			return errors.New("the archive does not begin with its manifest")
		}
		text, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, &opened.manifest); err != nil {
			return err
		}
		sum := sha256.Sum256(text)
		opened.name = "postgresql-" + opened.Version + "-" + hex.EncodeToString(sum[:8])
		return io.EOF
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the packed server: %w", err)
	}
	if opened.OS != runtime.GOOS || opened.Arch != runtime.GOARCH {
		return nil, nil
	}
	return opened, nil
}

// walk hands the archive's files to visit, until it returns an error; io.EOF ends the walk without one.
func (b *bundle) walk(visit func(*tar.Header, io.Reader) error) error {
	archive, err := b.files.Open(archiveName)
	if err != nil {
		return err
	}
	defer func() { _ = archive.Close() }()
	decompressor, err := zstd.NewReader(archive, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20))
	if err != nil {
		return err
	}
	defer decompressor.Close()
	reader := tar.NewReader(decompressor)
	for {
		header, err := reader.Next()
		if err == nil {
			err = visit(header, io.LimitReader(reader, maxUnpacked))
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// unpack returns a directory below cache that holds the server, complete and unchanged since the build. A directory
// that is damaged is made anew; those of other builds are removed.
func (b *bundle) unpack(cache string) (string, error) {
	final := filepath.Join(cache, b.name)
	if err := makeOpenDirectory(cache); err != nil {
		return "", err
	}
	others, err := os.ReadDir(cache)
	if err != nil {
		return "", err
	}
	for _, other := range others {
		if other.Name() != b.name {
			if err := os.RemoveAll(filepath.Join(cache, other.Name())); err != nil {
				return "", err
			}
		}
	}
	if b.verify(final) == nil {
		return final, nil
	}
	temporary, err := os.MkdirTemp(cache, ".unpack-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(temporary) }()
	if err := b.extract(temporary); err != nil {
		return "", fmt.Errorf("unpack the server: %w", err)
	}
	if err := b.verify(temporary); err != nil {
		return "", fmt.Errorf("unpack the server: %w", err)
	}
	if err := errors.Join(os.Chmod(temporary, 0o755), os.RemoveAll(final), os.Rename(temporary, final)); err != nil {
		return "", err
	}
	return final, nil
}

// extract writes the files below directory; a name that leads out of it is refused by os.Root.
func (b *bundle) extract(directory string) error {
	root, err := os.OpenRoot(directory)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	return b.walk(func(header *tar.Header, content io.Reader) error {
		name := filepath.FromSlash(header.Name)
		if err := makeParents(root, name); err != nil {
			return err
		}
		switch header.Typeflag {
		case tar.TypeSymlink:
			if strings.ContainsAny(header.Linkname, `/\`) {
				return fmt.Errorf("%s: the link leads to another directory", header.Name)
			}
			return root.Symlink(header.Linkname, name)
		case tar.TypeReg:
			return writeFile(root, name, content, fs.FileMode(header.Mode)&0o755)
		}
		return fmt.Errorf("%s: neither a file nor a link", header.Name)
	})
}

// makeParents sets the modes explicitly: the server runs as another user, whatever our umask says.
func makeParents(root *os.Root, name string) error {
	parent := filepath.Dir(name)
	if parent == "." {
		return nil
	}
	if _, err := root.Stat(parent); err == nil {
		return nil
	}
	if err := makeParents(root, parent); err != nil {
		return err
	}
	return errors.Join(root.Mkdir(parent, 0o755), root.Chmod(parent, 0o755))
}

func writeFile(root *os.Root, name string, content io.Reader, mode fs.FileMode) error {
	file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Chmod(mode), file.Close())
}

// verify reports whether directory holds exactly what the manifest says.
func (b *bundle) verify(directory string) error {
	root, err := os.OpenRoot(directory)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for _, file := range b.Files {
		name := filepath.FromSlash(file.Path)
		if file.Link != "" {
			target, err := root.Readlink(name)
			if err != nil || target != file.Link {
				return fmt.Errorf("%s: not the link it should be", file.Path)
			}
			continue
		}
		sum, err := hashFile(root, name)
		if err != nil {
			return err
		}
		if sum != file.SHA256 {
			return fmt.Errorf("%s: not the file that was packed", file.Path)
		}
	}
	return nil
}

func hashFile(root *os.Root, name string) (string, error) {
	file, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// makeOpenDirectory makes a directory that other users may pass through and read.
func makeOpenDirectory(name string) error {
	if err := os.MkdirAll(name, 0o755); err != nil {
		return err
	}
	return os.Chmod(name, 0o755)
}
