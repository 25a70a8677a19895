package connections

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"syscall"
)

// Numbers and sizes of sock_diag(7).
const (
	protocolSockDiag = 4  // NETLINK_SOCK_DIAG
	typeByFamily     = 20 // SOCK_DIAG_BY_FAMILY
	typeDestroy      = 21 // SOCK_DESTROY

	requestBytes    = syscall.NLMSG_HDRLEN + 8 + identityBytes // struct inet_diag_req_v2
	answerBytesMin  = 72                                       // struct inet_diag_msg
	identityBytes   = 48                                       // struct inet_diag_sockid
	identityInQuery = syscall.NLMSG_HDRLEN + 8
)

// stateHeld are the states of TCP in which a process may hold the socket and
// count on its peer: all but listening, closed and the wait after the end.
const stateHeld = uint32(1<<1 | 1<<2 | 1<<3 | 1<<4 | 1<<5 | 1<<8 | 1<<9 | 1<<11)

// identity is how the kernel names a socket: ports, addresses, interface and
// a number that no other socket ever gets. It goes back as it came.
type identity [identityBytes]byte

// connection is one socket of a listing.
type connection struct {
	family byte
	id     identity
	local  netip.AddrPort
	peer   netip.AddrPort
}

// parseConnection reads the struct inet_diag_msg of one answer. An address of
// IPv4 that is written as one of IPv6 becomes what it stands for.
func parseConnection(octets []byte) (connection, error) {
	if len(octets) < answerBytesMin {
		return connection{}, fmt.Errorf("the kernel described a socket in %d octets, expected %d or more", len(octets), answerBytesMin)
	}
	found := connection{family: octets[0]}
	if found.family != syscall.AF_INET && found.family != syscall.AF_INET6 {
		return connection{}, fmt.Errorf("the kernel described a socket of family %d, expected %d or %d", found.family, syscall.AF_INET, syscall.AF_INET6)
	}
	copy(found.id[:], octets[4:])
	found.local = endpoint(found.family, found.id[4:20], found.id[0:2])
	found.peer = endpoint(found.family, found.id[20:36], found.id[2:4])
	return found, nil
}

func endpoint(family byte, address, port []byte) netip.AddrPort {
	number := binary.BigEndian.Uint16(port)
	if family == syscall.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{address[0], address[1], address[2], address[3]}), number)
	}
	var sixteen [16]byte
	copy(sixteen[:], address)
	return netip.AddrPortFrom(netip.AddrFrom16(sixteen).Unmap(), number)
}

// listRequest asks for every held TCP socket of a family.
func listRequest(family byte, sequence uint32) []byte {
	return request(typeByFamily, syscall.NLM_F_REQUEST|syscall.NLM_F_DUMP, sequence, family, identity{})
}

// destroyRequest asks for the end of one socket, and for an answer.
func destroyRequest(target connection, sequence uint32) []byte {
	return request(typeDestroy, syscall.NLM_F_REQUEST|syscall.NLM_F_ACK, sequence, target.family, target.id)
}

func request(kind, flags uint16, sequence uint32, family byte, id identity) []byte {
	octets := make([]byte, requestBytes)
	binary.LittleEndian.PutUint32(octets[0:], requestBytes)
	binary.LittleEndian.PutUint16(octets[4:], kind)
	binary.LittleEndian.PutUint16(octets[6:], flags)
	binary.LittleEndian.PutUint32(octets[8:], sequence)
	body := octets[syscall.NLMSG_HDRLEN:]
	body[0] = family
	body[1] = syscall.IPPROTO_TCP
	binary.LittleEndian.PutUint32(body[4:], stateHeld)
	copy(octets[identityInQuery:], id[:])
	return octets
}

// errorNumber reads the answer of type NLMSG_ERROR (netlink(7)): 0 is success.
func errorNumber(octets []byte) (syscall.Errno, error) {
	if len(octets) < 4 {
		return 0, fmt.Errorf("the kernel answered in %d octets, expected 4 or more", len(octets))
	}
	number := int32(binary.LittleEndian.Uint32(octets))
	if number > 0 || number < -4095 {
		return 0, fmt.Errorf("the kernel answered with %d, which is no error number", number)
	}
	return syscall.Errno(-number), nil
}
