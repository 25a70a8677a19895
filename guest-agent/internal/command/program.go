package command

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"opencomputer/guest-agent/internal/wire"
)

// findProgram resolves the first element of an argv as execvp(3) does: a name
// without a slash is looked up in the command's PATH.
func findProgram(name, searchPath, workingDirectory string) (string, error) {
	if strings.Contains(name, "/") {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(workingDirectory, path)
		}
		if err := checkProgram(path); err != nil {
			return "", explainProgram(name, err)
		}
		return path, nil
	}
	var refusal error = syscall.ENOENT
	for _, directory := range filepath.SplitList(searchPath) {
		if !filepath.IsAbs(directory) {
			directory = filepath.Join(workingDirectory, directory)
		}
		path := filepath.Join(directory, name)
		err := checkProgram(path)
		if err == nil {
			return path, nil
		}
		if err != syscall.ENOENT && err != syscall.ENOTDIR {
			refusal = err
		}
	}
	if refusal == syscall.ENOENT {
		return "", wire.Errorf(wire.CommandNotFound, "%s: command not found in PATH (%s)", name, searchPath)
	}
	return "", explainProgram(name, refusal)
}

func checkProgram(path string) error {
	var status syscall.Stat_t
	if err := syscall.Stat(path, &status); err != nil {
		return err
	}
	if status.Mode&syscall.S_IFMT != syscall.S_IFREG || status.Mode&0o111 == 0 {
		return syscall.EACCES
	}
	return nil
}

func explainProgram(name string, err error) error {
	switch err {
	case syscall.ENOENT, syscall.ENOTDIR:
		return wire.Errorf(wire.CommandNotFound, "%s: command not found", name)
	case syscall.EACCES:
		return wire.Errorf(wire.CommandNotFound, "%s: the file exists, but is not executable", name)
	default:
		return wire.Errorf(wire.CommandNotFound, "%s: cannot be run: %v", name, err)
	}
}

// findWorkingDirectory resolves the working directory of a command; a relative
// path is relative to home.
func findWorkingDirectory(wanted *string, home string) (string, error) {
	path := home
	if wanted != nil && *wanted != "" {
		path = *wanted
		if !filepath.IsAbs(path) {
			path = filepath.Join(home, path)
		}
	}
	information, err := os.Stat(path)
	if err != nil {
		return "", wire.Errorf(wire.WorkingDirectoryNotFound, "the working directory %s does not exist", path)
	}
	if !information.IsDir() {
		return "", wire.Errorf(wire.WorkingDirectoryNotFound, "the working directory %s is not a directory", path)
	}
	return path, nil
}
