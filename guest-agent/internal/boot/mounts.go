package boot

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

type mountPoint struct {
	kind, path, options string
	flags               uintptr
}

// mountPoints are the file systems of the kernel and those in memory. /tmp is on
// the disk: uploads there may be larger than the memory.
var mountPoints = []mountPoint{
	{"proc", "/proc", "", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC},
	{"sysfs", "/sys", "", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC},
	{"devtmpfs", "/dev", "mode=0755", syscall.MS_NOSUID},
	{"devpts", "/dev/pts", "mode=0620,ptmxmode=0666,gid=5", syscall.MS_NOSUID | syscall.MS_NOEXEC},
	{"tmpfs", "/dev/shm", "mode=1777", syscall.MS_NOSUID | syscall.MS_NODEV},
	{"tmpfs", "/run", "mode=0755,size=25%", syscall.MS_NOSUID | syscall.MS_NODEV},
	{"cgroup2", "/sys/fs/cgroup", "nsdelegate", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC},
}

func mountAll() error {
	for _, point := range mountPoints {
		if err := os.MkdirAll(point.path, 0o755); err != nil {
			return fmt.Errorf("cannot make the mount point %s: %w", point.path, err)
		}
		err := syscall.Mount(point.kind, point.path, point.kind, point.flags, point.options)
		if err != nil && !errors.Is(err, syscall.EBUSY) { // EBUSY: it is mounted already.
			return fmt.Errorf("cannot mount %s on %s: %w", point.kind, point.path, err)
		}
	}
	links := []struct{ target, path string }{
		{"/proc/self/fd", "/dev/fd"},
		{"/proc/self/fd/0", "/dev/stdin"},
		{"/proc/self/fd/1", "/dev/stdout"},
		{"/proc/self/fd/2", "/dev/stderr"},
	}
	for _, link := range links {
		if err := os.Symlink(link.target, link.path); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("cannot link %s: %w", link.path, err)
		}
	}
	if err := os.MkdirAll("/run/lock", 0o1777); err != nil {
		return fmt.Errorf("cannot make /run/lock: %w", err)
	}
	return nil
}
