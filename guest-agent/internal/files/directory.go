package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"opencomputer/guest-agent/internal/account"
	"opencomputer/guest-agent/internal/wire"
)

// makeDirectories makes path and its parents. What it makes belongs to owner;
// what is there stays as it is.
func makeDirectories(path string, owner account.Account) error {
	information, err := os.Stat(path)
	if err == nil {
		if !information.IsDir() {
			return wire.Errorf(wire.NotADirectory, "%s is a file, expected a directory", path)
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return wire.FromFileSystem(path, err)
	}
	if parent := filepath.Dir(path); parent != path {
		if err := makeDirectories(parent, owner); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		if errors.Is(err, syscall.EEXIST) {
			return checkDirectory(path)
		}
		return wire.FromFileSystem(path, err)
	}
	if err := os.Lchown(path, int(owner.UserID), int(owner.GroupID)); err != nil {
		return wire.FromFileSystem(path, err)
	}
	return nil
}

// checkDirectory is for a path that someone else made meanwhile, or that is a
// link to nowhere.
func checkDirectory(path string) error {
	information, err := os.Stat(path)
	if err != nil {
		return wire.FromFileSystem(path, err)
	}
	if !information.IsDir() {
		return wire.Errorf(wire.NotADirectory, "%s is a file, expected a directory", path)
	}
	return nil
}

// remove deletes a file, a link, or a directory with all that is in it.
func remove(path string) error {
	if path == "/" {
		return wire.Errorf(wire.InvalidRequest, "/ cannot be deleted")
	}
	if _, err := os.Lstat(path); err != nil {
		return wire.FromFileSystem(path, err)
	}
	if err := os.RemoveAll(path); err != nil {
		return wire.FromFileSystem(path, err)
	}
	return nil
}
