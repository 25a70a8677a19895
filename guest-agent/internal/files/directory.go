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

// makeDirectory creates path and its parents, as makeDirectories does. What exists
// there and is no directory is a conflict.
func makeDirectory(path string, owner account.Account) error {
	if information, err := os.Stat(path); err == nil && !information.IsDir() {
		return wire.Errorf(wire.FileExists, "cannot create the directory %s: a file of that name exists. Delete it first, or choose another name", path)
	}
	return makeDirectories(path, owner)
}

// makeDirectories creates path and its parents. What it creates belongs to owner;
// existing directories stay unchanged.
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

// checkDirectory checks a path that another process created meanwhile, or that is
// a dangling link.
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

// remove deletes a file, a link, or a directory with its content.
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
