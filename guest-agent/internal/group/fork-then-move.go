//go:build !go1.20

package group

import (
	"log"
	"strconv"
	"syscall"
)

// forkInto moves the process after its start: Go before 1.20 cannot create one in
// a cgroup. Processes that it has forked by then stay outside.
func (g *Group) forkInto(program string, argv []string, attributes *syscall.ProcAttr) (int, error) {
	id, err := syscall.ForkExec(program, argv, attributes)
	if err != nil {
		return 0, err
	}
	if err := g.write("cgroup.procs", strconv.Itoa(id)); err != nil {
		log.Print(err)
	}
	return id, nil
}
