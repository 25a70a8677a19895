// Package connections closes TCP connections whose other end no longer exists.
package connections

import (
	"fmt"
	"log"
	"syscall"

	"opencomputer/guest-agent/internal/limit"
)

// CloseRemote closes every TCP connection between this machine and others except
// own: all of them use the address at which the host calls the agent. A process
// that waits on one gets ECONNABORTED at once. Listening sockets, connections
// within the machine (over the loopback, or to its own address), those of virtual
// networks inside it, and UDP sockets stay. It returns how many it closed.
func CloseRemote(own Own) (int, error) {
	kernel, err := openKernel()
	if err != nil {
		return 0, err
	}
	defer kernel.close()
	var lost []connection
	left := 0
	for _, family := range []byte{syscall.AF_INET, syscall.AF_INET6} {
		err := kernel.list(family, func(found connection) {
			switch {
			case !isRemote(found, own):
			case len(lost) < limit.ClosedConnectionsMax:
				lost = append(lost, found)
			default:
				left++
			}
		})
		if err != nil {
			return 0, err
		}
	}
	if left > 0 {
		log.Printf("%d connections beyond the limit of %d stay open until they send, when the network resets them", left, limit.ClosedConnectionsMax)
	}
	closed := 0
	for _, target := range lost {
		number, err := kernel.destroy(target)
		if err != nil {
			return closed, err
		}
		switch number {
		case 0:
			closed++
		case syscall.ENOENT, syscall.EOPNOTSUPP:
			// It has ended meanwhile, or no process holds it.
		default:
			return closed, fmt.Errorf("the kernel refused to close the connection of %s to %s: %w", target.local, target.peer, number)
		}
	}
	return closed, nil
}

func isRemote(found connection, own Own) bool {
	switch {
	case found.local.Addr() != own.Local.Addr():
		return false
	case found.peer.Addr() == own.Local.Addr() || found.peer.Addr().IsLoopback():
		return false
	default:
		return found.local != own.Local || found.peer != own.Peer
	}
}
