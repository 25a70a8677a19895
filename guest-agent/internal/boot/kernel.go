package boot

import (
	"log"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// modules are those for hot-plugged memory, the host's random numbers, and
// closing the connections that a restored machine has lost.
var modules = []string{"virtio_mem", "virtio-rng", "tcp_diag"}

type kernelSetting struct{ name, value string }

// kernelSettings are sysctl(8) names. IPv6 has no route out of a slot, so it is
// off on eth0; the loopback keeps it.
var kernelSettings = []kernelSetting{
	{"net.ipv6.conf.eth0.disable_ipv6", "1"},
	{"net.ipv6.conf.default.disable_ipv6", "1"},
	{"net.ipv4.ping_group_range", "0 2147483647"},
	{"net.ipv4.ip_unprivileged_port_start", "80"},
	{"fs.inotify.max_user_watches", "524288"},
	{"fs.inotify.max_user_instances", "1024"},
	{"vm.max_map_count", "262144"},
}

// tuneKernel applies settings that are useful but not necessary.
func tuneKernel() {
	for _, setting := range kernelSettings {
		path := filepath.Join("/proc/sys", strings.ReplaceAll(setting.name, ".", "/"))
		if err := os.WriteFile(path, []byte(setting.value), 0o644); err != nil {
			log.Printf("cannot set %s: %v", setting.name, err)
		}
	}
}

func loadModules() {
	for _, module := range modules {
		attributes := &syscall.ProcAttr{Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, Files: []uintptr{0, 1, 2}}
		id, err := syscall.ForkExec("/sbin/modprobe", []string{"modprobe", "-q", module}, attributes)
		if err != nil {
			log.Printf("cannot load %s: %v", module, err)
			continue
		}
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(id, &status, 0, nil); err != nil {
			log.Printf("cannot load %s: %v", module, err)
		}
	}
}
