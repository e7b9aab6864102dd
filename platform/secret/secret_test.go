package secret

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func setup(t *testing.T, services ...string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "keys")
	require.NoError(t, Init(dir, services))
	return dir
}

func load(t *testing.T, dir, service string) *Keys {
	t.Helper()
	keys, err := Load(dir, service)
	require.NoError(t, err)
	return keys
}

// contents returns every file of a directory.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	files := map[string]string{}
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		require.NoError(t, err)
		files[entry.Name()] = string(content)
	}
	return files
}

func TestInitMakesFilesWithNarrowModes(t *testing.T) {
	t.Parallel()
	dir := setup(t, "workflow", "audit")
	for name, mode := range map[string]fs.FileMode{
		".": 0o700, "workflow.keys.json": 0o600, "audit.keys.json": 0o600, PublicFile: 0o644,
	} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), name)
	}
	require.Len(t, contents(t, dir), 3, "nothing is left behind")
}

func TestInitNeverReplacesAKey(t *testing.T) {
	t.Parallel()
	dir := setup(t, "workflow")
	before := contents(t, dir)
	require.NoError(t, Init(dir, []string{"workflow"}))
	require.Equal(t, before, contents(t, dir))

	require.NoError(t, Init(dir, []string{"workflow", "audit"}))
	after := contents(t, dir)
	require.Equal(t, before["workflow.keys.json"], after["workflow.keys.json"])
	public, err := LoadPublic(dir)
	require.NoError(t, err)
	require.Len(t, public, 2)
}

func TestInitAtTheSameTime(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	var group sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		group.Go(func() { results[i] = Init(dir, []string{"workflow", fmt.Sprintf("service%d", i)}) })
	}
	group.Wait()
	for _, err := range results {
		require.NoError(t, err)
	}
	public, err := LoadPublic(dir)
	require.NoError(t, err)
	require.Len(t, public, len(results)+1)
	require.Equal(t, "workflow", public[load(t, dir, "workflow").CallerKey().ID].Service)
}

func TestInitRefusesServiceWhoseKeysAreElsewhere(t *testing.T) {
	t.Parallel()
	dir := setup(t, "workflow")
	require.NoError(t, os.Remove(keyFilePath(dir, "workflow")))
	before := contents(t, dir)
	require.ErrorContains(t, Init(dir, []string{"workflow"}), "put it back")
	require.Equal(t, before, contents(t, dir))
}

func TestInitCompletesWhatACrashLeft(t *testing.T) {
	t.Parallel()
	dir := setup(t, "workflow")
	kept := load(t, dir, "workflow").CallerKey().ID
	require.NoError(t, os.Remove(filepath.Join(dir, PublicFile)))
	require.NoError(t, Init(dir, []string{"workflow"}))
	public, err := LoadPublic(dir)
	require.NoError(t, err)
	require.Contains(t, public, kept)
}

func TestServiceNameIsNoPath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"", "../workflow", "a/b", "Workflow", "."} {
		require.Error(t, Init(dir, []string{name}), name)
		_, err := Load(dir, name)
		require.ErrorContains(t, err, "not the name of a service", name)
	}
	require.Empty(t, contents(t, dir))
}

func TestLoadRefusesFilesOpenToOthers(t *testing.T) {
	t.Parallel()
	dir := setup(t, "workflow")
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o666} {
		require.NoError(t, os.Chmod(keyFilePath(dir, "workflow"), mode))
		_, err := Load(dir, "workflow")
		require.ErrorContains(t, err, "can be read by others", mode.String())
	}
	require.NoError(t, os.Chmod(keyFilePath(dir, "workflow"), 0o400))
	load(t, dir, "workflow")
	for _, mode := range []fs.FileMode{0o664, 0o646} {
		require.NoError(t, os.Chmod(filepath.Join(dir, PublicFile), mode))
		_, err := LoadPublic(dir)
		require.ErrorContains(t, err, "can be written by others", mode.String())
	}
}

func TestLoadRefusesWhatIsNoKeyFile(t *testing.T) {
	t.Parallel()
	dir := setup(t, "workflow", "audit")
	_, err := Load(dir, "absent")
	require.ErrorIs(t, err, fs.ErrNotExist)

	require.NoError(t, os.Rename(keyFilePath(dir, "audit"), keyFilePath(dir, "workflow")))
	_, err = Load(dir, "workflow")
	require.ErrorContains(t, err, `the file holds the keys of "audit"`)

	require.NoError(t, os.WriteFile(keyFilePath(dir, "workflow"), []byte(`{"caller":"canary", oops`), 0o600))
	_, err = Load(dir, "workflow")
	require.ErrorContains(t, err, "not a key file")
	require.NotContains(t, err.Error(), "canary")

	require.NoError(t, os.WriteFile(keyFilePath(dir, "workflow"), []byte(`{"version":2}`), 0o600))
	_, err = Load(dir, "workflow")
	require.ErrorContains(t, err, "version 2")

	require.NoError(t, syscall.Mkfifo(keyFilePath(dir, "pipe"), 0o600))
	_, err = Load(dir, "pipe")
	require.ErrorContains(t, err, "not a regular file")
}

func TestSeal(t *testing.T) {
	t.Parallel()
	dir := setup(t, "workflow", "audit")
	keys, other := load(t, dir, "workflow"), load(t, dir, "audit")
	again := load(t, dir, "workflow")
	rapid.Check(t, func(t *rapid.T) {
		plaintext := rapid.SliceOf(rapid.Byte()).Draw(t, "plaintext")
		data := rapid.SliceOf(rapid.Byte()).Draw(t, "associated data")
		sealed, err := keys.Seal(plaintext, data)
		require.NoError(t, err)
		if len(plaintext) > 8 {
			require.False(t, bytes.Contains(sealed, plaintext))
		}
		opened, err := again.Unseal(sealed, data)
		require.NoError(t, err)
		require.True(t, bytes.Equal(plaintext, opened))

		_, err = other.Unseal(sealed, data)
		require.Equal(t, ErrUnseal, err, "another service's keys")
		_, err = keys.Unseal(sealed, append(data, 1))
		require.Equal(t, ErrUnseal, err, "another place")
		sealed[rapid.IntRange(0, len(sealed)-1).Draw(t, "byte")] ^= 1
		_, err = keys.Unseal(sealed, data)
		require.Equal(t, ErrUnseal, err, "changed")
	})
	_, err := keys.Unseal(nil, nil)
	require.Equal(t, ErrUnseal, err)
}

func TestSealUnder(t *testing.T) {
	t.Parallel()
	keys := load(t, setup(t, "identity"), "identity")
	key := keys.Derive("refresh answer", []byte("old token"))
	sealed, err := SealUnder(key, []byte("answer"), []byte("family"))
	require.NoError(t, err)
	opened, err := UnsealUnder(key, sealed, []byte("family"))
	require.NoError(t, err)
	require.Equal(t, "answer", string(opened))
	for _, wrong := range [][]byte{keys.Derive("refresh answer", []byte("another token")), nil, []byte("short")} {
		_, err = UnsealUnder(wrong, sealed, []byte("family"))
		require.Equal(t, ErrUnseal, err)
	}
	_, err = UnsealUnder(key, sealed, []byte("another family"))
	require.Equal(t, ErrUnseal, err)
	_, err = SealUnder([]byte("short"), nil, nil)
	require.Error(t, err)
}

func TestDeriveKeepsInputsApart(t *testing.T) {
	t.Parallel()
	dir := setup(t, "identity", "audit")
	keys := load(t, dir, "identity")
	text := func(parts ...string) (raw [][]byte) {
		for _, part := range parts {
			raw = append(raw, []byte(part))
		}
		return raw
	}
	outputs := map[string]string{}
	for name, output := range map[string][]byte{
		"plain":           keys.Derive("token", text("ab", "c")...),
		"parts moved":     keys.Derive("token", text("a", "bc")...),
		"parts joined":    keys.Derive("token", text("abc")...),
		"empty part":      keys.Derive("token", text("ab", "c", "")...),
		"other purpose":   keys.Derive("tokens", text("ab", "c")...),
		"into purpose":    keys.Derive("tokenab", text("c")...),
		"no parts":        keys.Derive("token"),
		"hash":            keys.HashKeyed("token", []byte("abc")),
		"another service": load(t, dir, "audit").Derive("token", text("ab", "c")...),
	} {
		require.Len(t, output, KeySize, name)
		require.NotContains(t, outputs, string(output), name)
		outputs[string(output)] = name
	}
	require.Equal(t, keys.Derive("token", text("ab", "c")...),
		load(t, dir, "identity").Derive("token", text("ab", "c")...), "the same after a restart")
}

func TestSigningKeys(t *testing.T) {
	t.Parallel()
	dir := setup(t, "workflow", "audit")
	keys := load(t, dir, "workflow")
	public, err := LoadPublic(dir)
	require.NoError(t, err)
	caller := keys.CallerKey()
	require.Equal(t, "workflow", public[caller.ID].Service)
	message := []byte("message")
	require.True(t, ed25519.Verify(public[caller.ID].Key, message, ed25519.Sign(caller.Private, message)))
	require.NotContains(t, public, keys.IssuerKey().ID, "the issuer's key proves no caller")
	require.Equal(t, caller, load(t, dir, "workflow").CallerKey())

	parsed, err := ParseJWK(keys.IssuerKey().PublicJWK())
	require.NoError(t, err)
	require.True(t, ed25519.Verify(parsed.Key, message, ed25519.Sign(keys.IssuerKey().Private, message)))
}

// The example key of RFC 8037 appendix A.
func TestThumbprint(t *testing.T) {
	t.Parallel()
	jwk := JWK{KeyType: "OKP", Curve: "Ed25519", X: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
		ID: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"}
	_, err := ParseJWK(jwk)
	require.NoError(t, err)
	for name, change := range map[string]func(*JWK){
		"name":      func(j *JWK) { j.ID = "workflow" },
		"type":      func(j *JWK) { j.KeyType = "EC" },
		"curve":     func(j *JWK) { j.Curve = "X25519" },
		"length":    func(j *JWK) { j.X = j.X[:20] },
		"use":       func(j *JWK) { j.Use = "enc" },
		"algorithm": func(j *JWK) { j.Algorithm = "none" },
	} {
		changed := jwk
		change(&changed)
		_, err := ParseJWK(changed)
		require.Error(t, err, name)
	}
}

func TestLoadPublicRefusesDoubtfulFiles(t *testing.T) {
	t.Parallel()
	keys := load(t, setup(t, "workflow"), "workflow")
	good := keys.CallerKey().PublicJWK()
	good.Service = "workflow"
	stranger, unnamed := good, good
	stranger.Service, unnamed.Service = "audit", ""
	for name, set := range map[string]JWKSet{
		"one key for two services": {Keys: []JWK{good, stranger}},
		"key of nobody":            {Keys: []JWK{unnamed}},
	} {
		dir := t.TempDir()
		content, err := json.Marshal(set)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, PublicFile), content, 0o600))
		_, err = LoadPublic(dir)
		require.Error(t, err, name)
	}
}

func TestKeysAreNeverPrinted(t *testing.T) {
	t.Parallel()
	keys := load(t, setup(t, "workflow"), "workflow")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		require.Equal(t, "keys of workflow", fmt.Sprintf(verb, keys))
		require.True(t, strings.HasPrefix(fmt.Sprintf(verb, keys.CallerKey()), "signing key "), verb)
	}
}
