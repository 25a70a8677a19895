package boot

import (
	"encoding/binary"
	"fmt"
	"net"
	"syscall"
	"unsafe"
)

// The addresses that every guest has; packages/protocol/src/wire/agent.ts
// defines them.
var (
	guestAddress   = net.IPv4(169, 254, 0, 2)
	gatewayAddress = net.IPv4(169, 254, 0, 1)
	networkMask    = net.IPv4(255, 255, 255, 252)
)

const guestInterface = "eth0"

// interfaceRequest is struct ifreq of netdevice(7): a name and a value.
type interfaceRequest struct {
	name  [syscall.IFNAMSIZ]byte
	value [24]byte
}

// route is struct rtentry of <net/route.h> on 64-bit Linux.
type route struct {
	_                          uint64
	destination, gateway, mask [16]byte
	flags                      uint16
	_                          int16
	_                          [4]byte
	_                          uint64
	_                          [8]byte
	metric                     int16
	_                          [6]byte
	device                     uintptr
	_                          [24]byte
}

// configureNetwork brings the loopback up and sets the address and the route of
// the guest's only interface.
func configureNetwork() error {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open a socket to configure the network: %w", err)
	}
	defer syscall.Close(socket)
	if err := bringUp(socket, "lo"); err != nil {
		return err
	}
	if err := setAddress(socket, syscall.SIOCSIFADDR, guestAddress); err != nil {
		return err
	}
	if err := setAddress(socket, syscall.SIOCSIFNETMASK, networkMask); err != nil {
		return err
	}
	if err := bringUp(socket, guestInterface); err != nil {
		return err
	}
	entry := route{
		destination: socketAddress(net.IPv4zero),
		gateway:     socketAddress(gatewayAddress),
		mask:        socketAddress(net.IPv4zero),
		flags:       syscall.RTF_UP | syscall.RTF_GATEWAY,
	}
	if err := control(socket, syscall.SIOCADDRT, unsafe.Pointer(&entry)); err != nil {
		return fmt.Errorf("cannot add the route to %s: %w", gatewayAddress, err)
	}
	return nil
}

func setAddress(socket int, call uintptr, address net.IP) error {
	request := requestFor(guestInterface)
	encoded := socketAddress(address)
	copy(request.value[:], encoded[:])
	if err := control(socket, call, unsafe.Pointer(&request)); err != nil {
		return fmt.Errorf("cannot give %s the address %s: %w", guestInterface, address, err)
	}
	return nil
}

func bringUp(socket int, name string) error {
	request := requestFor(name)
	if err := control(socket, syscall.SIOCGIFFLAGS, unsafe.Pointer(&request)); err != nil {
		return fmt.Errorf("cannot read the flags of %s: %w", name, err)
	}
	flags := binary.LittleEndian.Uint16(request.value[:])
	binary.LittleEndian.PutUint16(request.value[:], flags|syscall.IFF_UP)
	if err := control(socket, syscall.SIOCSIFFLAGS, unsafe.Pointer(&request)); err != nil {
		return fmt.Errorf("cannot bring %s up: %w", name, err)
	}
	return nil
}

func requestFor(name string) interfaceRequest {
	var request interfaceRequest
	copy(request.name[:], name)
	return request
}

// socketAddress is struct sockaddr_in of ip(7).
func socketAddress(address net.IP) [16]byte {
	var encoded [16]byte
	binary.LittleEndian.PutUint16(encoded[0:], syscall.AF_INET)
	copy(encoded[4:8], address.To4())
	return encoded
}

func control(socket int, call uintptr, argument unsafe.Pointer) error {
	if _, _, number := syscall.Syscall(syscall.SYS_IOCTL, uintptr(socket), call, uintptr(argument)); number != 0 {
		return number
	}
	return nil
}
