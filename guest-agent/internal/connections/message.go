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

	requestBytes     = syscall.NLMSG_HDRLEN + 8 + identityBytes // struct inet_diag_req_v2
	responseBytesMin = 72                                       // struct inet_diag_msg
	identityBytes    = 48                                       // struct inet_diag_sockid
	identityInQuery  = syscall.NLMSG_HDRLEN + 8
)

// stateHeld are the TCP states in which a process may hold the socket and rely on
// its peer: all but LISTEN, CLOSE and TIME_WAIT.
const stateHeld = uint32(1<<1 | 1<<2 | 1<<3 | 1<<4 | 1<<5 | 1<<8 | 1<<9 | 1<<11)

// identity is how the kernel identifies a socket: ports, addresses, interface and
// a unique number. It is sent back as it was received.
type identity [identityBytes]byte

// connection is one socket of a list.
type connection struct {
	family byte
	id     identity
	local  netip.AddrPort
	peer   netip.AddrPort
}

// parseConnection parses the struct inet_diag_msg of one response. IPv4-mapped
// IPv6 addresses become IPv4 addresses.
func parseConnection(data []byte) (connection, error) {
	if len(data) < responseBytesMin {
		return connection{}, fmt.Errorf("the kernel described a socket in %d bytes, expected %d or more", len(data), responseBytesMin)
	}
	found := connection{family: data[0]}
	if found.family != syscall.AF_INET && found.family != syscall.AF_INET6 {
		return connection{}, fmt.Errorf("the kernel described a socket of family %d, expected %d or %d", found.family, syscall.AF_INET, syscall.AF_INET6)
	}
	copy(found.id[:], data[4:])
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

// listRequest requests every held TCP socket of a family.
func listRequest(family byte, sequence uint32) []byte {
	return request(typeByFamily, syscall.NLM_F_REQUEST|syscall.NLM_F_DUMP, sequence, family, identity{})
}

// destroyRequest requests that one socket is closed, with a response.
func destroyRequest(target connection, sequence uint32) []byte {
	return request(typeDestroy, syscall.NLM_F_REQUEST|syscall.NLM_F_ACK, sequence, target.family, target.id)
}

func request(kind, flags uint16, sequence uint32, family byte, id identity) []byte {
	data := make([]byte, requestBytes)
	binary.LittleEndian.PutUint32(data[0:], requestBytes)
	binary.LittleEndian.PutUint16(data[4:], kind)
	binary.LittleEndian.PutUint16(data[6:], flags)
	binary.LittleEndian.PutUint32(data[8:], sequence)
	body := data[syscall.NLMSG_HDRLEN:]
	body[0] = family
	body[1] = syscall.IPPROTO_TCP
	binary.LittleEndian.PutUint32(body[4:], stateHeld)
	copy(data[identityInQuery:], id[:])
	return data
}

// errorNumber parses a response of type NLMSG_ERROR (netlink(7)): 0 is success.
func errorNumber(data []byte) (syscall.Errno, error) {
	if len(data) < 4 {
		return 0, fmt.Errorf("the kernel responded with %d bytes, expected 4 or more", len(data))
	}
	number := int32(binary.LittleEndian.Uint32(data))
	if number > 0 || number < -4095 {
		return 0, fmt.Errorf("the kernel responded with %d, which is not an error number", number)
	}
	return syscall.Errno(-number), nil
}
