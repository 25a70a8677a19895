package connections

import (
	"fmt"
	"syscall"
	"time"
)

const (
	// receiveBytes is the most that the kernel sends of a list at once.
	receiveBytes = 32 << 10
	// responseWaitMax limits the wait for the kernel, which responds at once.
	responseWaitMax = 5 * time.Second
)

// kernel is a netlink socket of sock_diag(7).
type kernel struct {
	socket   int
	sequence uint32
	buffer   []byte
}

func openKernel() (*kernel, error) {
	socket, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, protocolSockDiag)
	if err != nil {
		return nil, fmt.Errorf("cannot open a socket to the kernel: %w", err)
	}
	wait := syscall.NsecToTimeval(int64(responseWaitMax))
	if err := syscall.SetsockoptTimeval(socket, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &wait); err != nil {
		syscall.Close(socket)
		return nil, fmt.Errorf("cannot bound the wait for the kernel: %w", err)
	}
	return &kernel{socket: socket, buffer: make([]byte, receiveBytes)}, nil
}

func (k *kernel) close() {
	syscall.Close(k.socket)
}

// list calls each with every held TCP socket of a family in this network
// namespace.
func (k *kernel) list(family byte, each func(connection)) error {
	k.sequence++
	if err := k.send(listRequest(family, k.sequence)); err != nil {
		return err
	}
	for {
		messages, err := k.receive()
		if err != nil {
			return err
		}
		for _, message := range messages {
			switch message.Header.Type {
			case syscall.NLMSG_DONE:
				return nil
			case syscall.NLMSG_ERROR:
				number, err := errorNumber(message.Data)
				if err == nil {
					err = number
				}
				return fmt.Errorf("the kernel refused to list the connections: %w", err)
			case typeByFamily:
				found, err := parseConnection(message.Data)
				if err != nil {
					return err
				}
				each(found)
			}
		}
	}
}

// destroy closes a socket: processes that wait for it get ECONNABORTED, its peer
// a reset. It returns the kernel's error number, 0 for success.
func (k *kernel) destroy(target connection) (syscall.Errno, error) {
	k.sequence++
	if err := k.send(destroyRequest(target, k.sequence)); err != nil {
		return 0, err
	}
	for {
		messages, err := k.receive()
		if err != nil {
			return 0, err
		}
		for _, message := range messages {
			if message.Header.Type == syscall.NLMSG_ERROR {
				return errorNumber(message.Data)
			}
		}
	}
}

func (k *kernel) send(data []byte) error {
	if err := syscall.Sendto(k.socket, data, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return fmt.Errorf("cannot ask the kernel for its connections: %w", err)
	}
	return nil
}

// receive returns the kernel's next messages in response to the last request.
func (k *kernel) receive() ([]syscall.NetlinkMessage, error) {
	for {
		count, sender, err := syscall.Recvfrom(k.socket, k.buffer, syscall.MSG_TRUNC)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the kernel's connections: %w", err)
		}
		// Processes may send to this socket as well.
		from, isNetlink := sender.(*syscall.SockaddrNetlink)
		if !isNetlink || from.Pid != 0 {
			continue
		}
		if count > len(k.buffer) {
			return nil, fmt.Errorf("the kernel sent %d bytes at once, expected at most %d", count, len(k.buffer))
		}
		return responsesTo(k.sequence, k.buffer[:count])
	}
}

// responsesTo splits a datagram into its messages and keeps those of a request.
func responsesTo(sequence uint32, datagram []byte) ([]syscall.NetlinkMessage, error) {
	all, err := syscall.ParseNetlinkMessage(datagram)
	if err != nil {
		return nil, fmt.Errorf("the kernel's response is not a netlink message: %w", err)
	}
	kept := all[:0]
	for _, message := range all {
		if message.Header.Seq == sequence {
			kept = append(kept, message)
		}
	}
	return kept, nil
}
