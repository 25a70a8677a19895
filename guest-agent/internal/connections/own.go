package connections

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
)

// Own is the connection that a call of the host arrived on.
type Own struct {
	Local, Peer netip.AddrPort
}

// OwnOf tells which connection carries a request.
func OwnOf(request *http.Request) (Own, error) {
	address, known := request.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !known {
		return Own{}, fmt.Errorf("the request of %s does not tell at which address it arrived", request.RemoteAddr)
	}
	local, err := netip.ParseAddrPort(address.String())
	if err != nil {
		return Own{}, fmt.Errorf("the request of %s did not arrive at an address of TCP: %w", request.RemoteAddr, err)
	}
	peer, err := netip.ParseAddrPort(request.RemoteAddr)
	if err != nil {
		return Own{}, fmt.Errorf("the request did not come from an address of TCP: %w", err)
	}
	return Own{Local: unmap(local), Peer: unmap(peer)}, nil
}

func unmap(endpoint netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(endpoint.Addr().Unmap(), endpoint.Port())
}
