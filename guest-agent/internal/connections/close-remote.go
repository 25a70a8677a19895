// Package connections ends TCP connections whose other end is gone.
package connections

import (
	"fmt"
	"log"
	"syscall"

	"opencomputer/guest-agent/internal/limit"
)

// CloseRemote ends every TCP connection that left or entered this machine at
// the address at which the host calls the agent, which is its only way out,
// but not own itself. A process that waits on one gets ECONNABORTED at once.
// Listening sockets, connections within the machine (over the loopback, or to
// its own address) and those of virtual networks inside it stay, and so does
// UDP, which has no connection to lose. It tells how many it ended.
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
		log.Printf("%d connections beyond %d stay open until they send: the network resets them then", left, limit.ClosedConnectionsMax)
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
			// It ended meanwhile, or no process holds it any more.
		default:
			return closed, fmt.Errorf("the kernel refused to end the connection of %s to %s: %w", target.local, target.peer, number)
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
