//go:build go1.20

package group

import "syscall"

// forkInto lets the kernel create the process in the group (CLONE_INTO_CGROUP), so
// that not even one instruction of it runs outside.
func (g *Group) forkInto(program string, argv []string, attributes *syscall.ProcAttr) (int, error) {
	inside, system := *attributes, syscall.SysProcAttr{}
	if attributes.Sys != nil {
		system = *attributes.Sys
	}
	system.UseCgroupFD, system.CgroupFD = true, int(g.handle.Fd())
	inside.Sys = &system
	return syscall.ForkExec(program, argv, &inside)
}
