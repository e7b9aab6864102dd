package secret

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Init makes the keys of the services in a directory: a private file each (mode 0600) and one public file for all. It
// never overwrites a key: what is there stays, what is missing is made, and doing it twice, or twice at once, is doing
// it once.
//
// A service whose public key is listed but whose private file is missing is refused: its keys are elsewhere, and new
// ones could open nothing that was sealed with the old.
func Init(dir string, services []string) error {
	for _, service := range services {
		if err := checkService(service); err != nil {
			return fmt.Errorf("init keys: %w", err)
		}
	}
	// A directory that is there keeps its mode: the private files in it are protected by their own.
	if err := os.MkdirAll(dir, privateDirMode); err != nil {
		return fmt.Errorf("init keys: %w", err)
	}
	unlock, err := lockDir(dir)
	if err != nil {
		return fmt.Errorf("init keys: %w", err)
	}
	defer unlock()
	public, err := LoadPublic(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("init keys: %w", err)
	}
	if public == nil {
		public = map[string]PublicKey{}
	}
	added := false
	for _, service := range services {
		keys, err := initService(dir, service, public)
		if err != nil {
			return fmt.Errorf("init keys: %w", err)
		}
		if _, listed := public[keys.caller.ID]; listed {
			continue
		}
		half, _ := keys.caller.Private.Public().(ed25519.PublicKey)
		public[keys.caller.ID] = PublicKey{Service: service, ID: keys.caller.ID, Key: half}
		added = true
	}
	if !added {
		return nil
	}
	if err := writePublic(dir, public); err != nil {
		return fmt.Errorf("init keys: %w", err)
	}
	return nil
}

// initService loads a service's keys, or makes them when there are none anywhere.
func initService(dir, service string, public map[string]PublicKey) (*Keys, error) {
	keys, err := Load(dir, service)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	for _, key := range public {
		if key.Service == service {
			return nil, fmt.Errorf("%s lists a key of %s, but %s is missing: put it back, or remove the entry when "+
				"the keys and all they have sealed are to be given up", PublicFile, service, keyFilePath(dir, service))
		}
	}
	stored, err := newStoredKeys(service)
	if err != nil {
		return nil, err
	}
	if err := stored.create(dir); err != nil {
		return nil, err
	}
	return Load(dir, service)
}
