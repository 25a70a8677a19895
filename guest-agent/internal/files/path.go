// Package files serves the files of a sandbox. The agent acts as root; what it
// creates belongs to the sandbox's user.
package files

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"opencomputer/guest-agent/internal/limit"
	"opencomputer/guest-agent/internal/wire"
)

// resolvePath makes a caller's path absolute and clean; a relative one is
// relative to home. It does not follow links.
func resolvePath(path, home string) (string, error) {
	switch {
	case path == "":
		return "", wire.Errorf(wire.InvalidRequest, "path must not be empty")
	case len(path) > limit.PathBytesMax:
		return "", wire.Errorf(wire.InvalidRequest, "path must have at most %d bytes, got %d", limit.PathBytesMax, len(path))
	case strings.IndexByte(path, 0) >= 0:
		return "", wire.Errorf(wire.InvalidRequest, "path must not contain NUL")
	case filepath.IsAbs(path):
		return filepath.Clean(path), nil
	default:
		return filepath.Join(home, path), nil
	}
}

// followLinks returns the target of path if it is a symbolic link, even if the
// target does not exist, as open(2) with O_CREAT would create it.
func followLinks(path string) (string, error) {
	const linksMax = 40 // as the kernel: path_resolution(7)
	for links := 0; links < linksMax; links++ {
		information, err := os.Lstat(path)
		if err != nil || information.Mode()&os.ModeSymlink == 0 {
			return path, nil
		}
		target, err := os.Readlink(path)
		if err != nil {
			return "", wire.FromFileSystem(path, err)
		}
		if !filepath.IsAbs(target) {
			target = filepath.Dir(path) + "/" + target
		}
		path = target
	}
	return "", wire.FromFileSystem(path, syscall.ELOOP)
}
