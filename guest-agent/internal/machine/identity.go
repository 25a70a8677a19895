package machine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"opencomputer/guest-agent/internal/limit"
)

const (
	rootDirectory = "/"
	// The kernel's name of a machine whose name was not set since its boot.
	unnamedHost = "(none)"
)

// setIdentity sets the machine's id (machine-id(5)) and its host name
// (hostname(5), hosts(5)). A machine that has the id already keeps what its user
// has changed; after a boot only its host name is set.
func setIdentity(root, hostname, machineID string) error {
	present, err := readStart(root+"etc/machine-id", len(machineID)+1)
	if err != nil {
		return fmt.Errorf("cannot read the machine's identity: %w", err)
	}
	if strings.TrimSpace(present) == machineID {
		return nameAfterBoot(hostname)
	}
	hosts, err := readStart(root+"etc/hosts", limit.HostsFileBytesMax+1)
	if err != nil {
		return fmt.Errorf("cannot read the names of hosts: %w", err)
	}
	if err := syscall.Sethostname([]byte(hostname)); err != nil {
		return fmt.Errorf("cannot set the host name: %w", err)
	}
	contents := []struct{ path, text string }{
		{"etc/hostname", hostname + "\n"},
		{"etc/hosts", hostsFile(hosts, hostname)},
		// The last file: it marks the others as complete.
		{"etc/machine-id", machineID + "\n"},
	}
	for _, file := range contents {
		if err := os.WriteFile(root+file.path, []byte(file.text), 0o644); err != nil {
			return fmt.Errorf("cannot write the machine's identity: %w", err)
		}
	}
	return nil
}

func nameAfterBoot(hostname string) error {
	present, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("cannot read the host name: %w", err)
	}
	if present != unnamedHost {
		return nil
	}
	if err := syscall.Sethostname([]byte(hostname)); err != nil {
		return fmt.Errorf("cannot set the host name: %w", err)
	}
	return nil
}

// hostsFile returns the previous file with the machine's own name replaced. A file
// without names, or one that is too large, is replaced as a whole.
func hostsFile(before, hostname string) string {
	const ownAddress = "127.0.1.1"
	own := ownAddress + "\t" + hostname + "\n"
	if strings.TrimSpace(before) == "" || len(before) > limit.HostsFileBytesMax {
		return "127.0.0.1\tlocalhost\n" + own + "::1\tlocalhost ip6-localhost ip6-loopback\n"
	}
	var after strings.Builder
	for _, line := range strings.SplitAfter(before, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != ownAddress {
			after.WriteString(line)
		}
	}
	if !strings.HasSuffix(after.String(), "\n") {
		after.WriteString("\n")
	}
	return after.String() + own
}

// readStart reads at most bytesMax bytes of a file; empty when it does not exist.
func readStart(path string, bytesMax int) (string, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, int64(bytesMax)))
	return string(text), err
}

func isHostname(text string) bool {
	return consistsOf(text, 1, 63, func(character byte) bool {
		return character >= 'a' && character <= 'z' || character >= '0' && character <= '9' || character == '-'
	})
}

func isMachineID(text string) bool {
	return consistsOf(text, 32, 32, func(character byte) bool {
		return character >= '0' && character <= '9' || character >= 'a' && character <= 'f'
	})
}

func consistsOf(text string, lengthMin, lengthMax int, allowed func(byte) bool) bool {
	if len(text) < lengthMin || len(text) > lengthMax {
		return false
	}
	for index := 0; index < len(text); index++ {
		if !allowed(text[index]) {
			return false
		}
	}
	return true
}
