package connections

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
)

// Own is the connection on which a request of the host arrived.
type Own struct {
	Local, Peer netip.AddrPort
}

// OwnOf returns the connection of a request.
func OwnOf(request *http.Request) (Own, error) {
	address, known := request.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !known {
		return Own{}, fmt.Errorf("the request of %s has no local address", request.RemoteAddr)
	}
	local, err := netip.ParseAddrPort(address.String())
	if err != nil {
		return Own{}, fmt.Errorf("the request of %s did not arrive at a TCP address: %w", request.RemoteAddr, err)
	}
	peer, err := netip.ParseAddrPort(request.RemoteAddr)
	if err != nil {
		return Own{}, fmt.Errorf("the request did not come from a TCP address: %w", err)
	}
	return Own{Local: unmap(local), Peer: unmap(peer)}, nil
}

func unmap(endpoint netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(endpoint.Addr().Unmap(), endpoint.Port())
}
