// Package atomicfile replaces files whole: whoever reads one meanwhile, and whoever
// finds it after a crash, has either what it held before or all that was written.
package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
)

// Temporary matches the files that a crash leaves beside the one that was to be
// replaced, in the syntax of filepath.Glob.
const Temporary = ".new-*"

// Write replaces a file, or makes it, for its owner alone (mode 0600). Its directory
// has to exist. Once Write returns nil the content stays, whatever happens.
func Write(name string, data []byte) error {
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, Temporary)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // which is not there any more, as a rule
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	return syncDirectory(dir)
}

// syncDirectory has the new name of a file stay.
func syncDirectory(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
