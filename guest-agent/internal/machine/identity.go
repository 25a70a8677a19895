package machine

import (
	"fmt"
	"os"
	"syscall"
)

// setIdentity gives the machine its host name (hostname(5), hosts(5)) and its
// id (machine-id(5)).
func setIdentity(hostname, machineID string) error {
	if err := syscall.Sethostname([]byte(hostname)); err != nil {
		return fmt.Errorf("cannot set the host name: %w", err)
	}
	contents := []struct{ path, text string }{
		{"/etc/hostname", hostname + "\n"},
		{"/etc/hosts", hostsFile(hostname)},
		{"/etc/machine-id", machineID + "\n"},
	}
	for _, file := range contents {
		if err := os.WriteFile(file.path, []byte(file.text), 0o644); err != nil {
			return fmt.Errorf("cannot write the machine's identity: %w", err)
		}
	}
	return nil
}

func hostsFile(hostname string) string {
	return "127.0.0.1\tlocalhost\n127.0.1.1\t" + hostname +
		"\n::1\tlocalhost ip6-localhost ip6-loopback\n"
}

func isHostname(text string) bool {
	return consistsOf(text, 1, 63, func(octet byte) bool {
		return octet >= 'a' && octet <= 'z' || octet >= '0' && octet <= '9' || octet == '-'
	})
}

func isMachineID(text string) bool {
	return consistsOf(text, 32, 32, func(octet byte) bool {
		return octet >= '0' && octet <= '9' || octet >= 'a' && octet <= 'f'
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
