package machine

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"opencomputer/guest-agent/internal/limit"
)

const (
	firstID  = "0123456789abcdef0123456789abcdef"
	secondID = "fedcba9876543210fedcba9876543210"
)

func TestHostsFileReplacesTheOwnNameAndNothingElse(t *testing.T) {
	const fresh = "127.0.0.1\tlocalhost\n127.0.1.1\tsb-new\n::1\tlocalhost ip6-localhost ip6-loopback\n"
	cases := map[string]struct{ before, want string }{
		"no file":         {"", fresh},
		"too large a one": {strings.Repeat("#", limit.HostsFileBytesMax+1), fresh},
		"an earlier name": {"127.0.0.1 localhost\n127.0.1.1 sb-old\n10.0.0.1 mine\n", "127.0.0.1 localhost\n10.0.0.1 mine\n127.0.1.1\tsb-new\n"},
		"no end of line":  {"10.0.0.1 mine", "10.0.0.1 mine\n127.0.1.1\tsb-new\n"},
		"a similar one":   {"127.0.1.10 mine\n# 127.0.1.1\n", "127.0.1.10 mine\n# 127.0.1.1\n127.0.1.1\tsb-new\n"},
	}
	for name, one := range cases {
		if got := hostsFile(one.before, "sb-new"); got != one.want {
			t.Errorf("%s: got %.200q", name, got)
		}
	}
}

// ownNames gives the test's thread a separate UTS namespace and a root directory.
// The thread ends with the test.
func ownNames(t *testing.T, hostname string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can set a host name: run the test as root")
	}
	runtime.LockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWUTS); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Sethostname([]byte(hostname)); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir() + "/"
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	return root
}

func expectNames(t *testing.T, root, hostname, hostnameFile, machineID string) {
	t.Helper()
	if got, err := os.Hostname(); err != nil || got != hostname {
		t.Errorf("the host name is %q, %v; want %q", got, err, hostname)
	}
	for path, want := range map[string]string{"etc/hostname": hostnameFile + "\n", "etc/machine-id": machineID + "\n"} {
		if got, err := os.ReadFile(root + path); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v; want %q", path, got, err, want)
		}
	}
}

func configureIdentity(t *testing.T, root, hostname, machineID string) {
	t.Helper()
	if err := setIdentity(root, hostname, machineID); err != nil {
		t.Fatal(err)
	}
}

func TestSetIdentityGivesAForkAnotherIdentity(t *testing.T) {
	root := ownNames(t, "sandbox")
	configureIdentity(t, root, "sb-parent", firstID)
	expectNames(t, root, "sb-parent", "sb-parent", firstID)
	configureIdentity(t, root, "sb-fork", secondID)
	expectNames(t, root, "sb-fork", "sb-fork", secondID)
}

func TestSetIdentityKeepsTheUsersChangesAfterAWake(t *testing.T) {
	root := ownNames(t, "sandbox")
	configureIdentity(t, root, "sb-one", firstID)
	if err := syscall.Sethostname([]byte("mine")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root+"etc/hostname", []byte("mine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	configureIdentity(t, root, "sb-one", firstID)
	expectNames(t, root, "mine", "mine", firstID)
}

func TestSetIdentityNamesAMachineThatBootedFromItsDisk(t *testing.T) {
	root := ownNames(t, "sandbox")
	configureIdentity(t, root, "sb-one", firstID)
	if err := syscall.Sethostname([]byte(unnamedHost)); err != nil {
		t.Fatal(err)
	}
	configureIdentity(t, root, "sb-one", firstID)
	expectNames(t, root, "sb-one", "sb-one", firstID)
}
