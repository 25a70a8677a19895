// Package tunnel connects the host to servers in the guest, also to those that
// listen only on the loopback.
package tunnel

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"

	"opencomputer/guest-agent/internal/limit"
	"opencomputer/guest-agent/internal/wire"
)

const (
	// protocol is tunnelProtocol of packages/protocol/src/wire/agent.ts.
	protocol    = "opencomputer-tunnel"
	dialTimeout = 20 * time.Second
	// Two for each tunnel: at the limit of tunnels they stay below the size at
	// which the heap is collected.
	bufferBytes = 16 << 10
)

// hosts are tried in this order. Most servers listen on IPv4, or on both.
var hosts = []string{"127.0.0.1", "::1"}

// Service opens tunnels, at most limit.TunnelsPerSandboxMax at a time.
type Service struct {
	agentPort int
	open      chan struct{}
}

// NewService returns a Service that refuses the port of the agent itself.
func NewService(agentPort int) *Service {
	return &Service{agentPort: agentPort, open: make(chan struct{}, limit.TunnelsPerSandboxMax)}
}

// Open serves GET /v1/tunnel?port=N: after the response with status 101 the
// connection leads to that port. It returns when both directions have ended.
func (s *Service) Open(response http.ResponseWriter, request *http.Request) error {
	if request.Header.Get("Upgrade") != protocol {
		return wire.Errorf(wire.InvalidRequest, "a tunnel needs Upgrade: %s", protocol)
	}
	port, err := strconv.Atoi(request.URL.Query().Get("port"))
	if err != nil || port < 1 || port > 65535 || port == s.agentPort {
		return wire.Errorf(wire.InvalidRequest, "port must be from 1 to 65535 and not %d, the port of the agent, got %.20q", s.agentPort, request.URL.Query().Get("port"))
	}
	select {
	case s.open <- struct{}{}:
		defer func() { <-s.open }()
	default:
		return wire.Errorf(wire.TooManyRequests, "connection limit reached: this sandbox has %[1]d of %[1]d connections to its ports. Wait for some to end", limit.TunnelsPerSandboxMax)
	}
	server, err := dial(request.Context(), port)
	if err != nil {
		return err
	}
	defer server.Close()
	hijacker, can := response.(http.Hijacker)
	if !can {
		return errors.New("the HTTP server cannot hand over its connection")
	}
	host, buffered, err := hijacker.Hijack()
	if err != nil {
		return fmt.Errorf("cannot take over the connection of the host: %w", err)
	}
	defer host.Close()
	if err := host.SetDeadline(time.Time{}); err != nil {
		return nil
	}
	if _, err := io.WriteString(host, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+protocol+"\r\n\r\n"); err != nil {
		return nil
	}
	join(host, buffered.Reader, server)
	return nil
}

func dial(ctx context.Context, port int) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	for _, host := range hosts {
		connection, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err == nil {
			return connection, nil
		}
		if !isRefusal(err) {
			return nil, wire.Errorf(wire.PortNotListening, "the server on port %d of the sandbox accepts no connection: %v", port, err)
		}
	}
	return nil, wire.Errorf(wire.PortNotListening, "nothing listens on port %d of the sandbox", port)
}

// isRefusal reports whether the other address should be tried. A guest without
// IPv6 has no ::1.
func isRefusal(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EADDRNOTAVAIL) ||
		errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.ENETUNREACH)
}

// join copies in both directions. The end of one direction is passed on; an error
// of either ends both. A host that has closed the connection looks like one that
// only sends no more, so join waits only for a limited time for the server then.
func join(host net.Conn, fromHost *bufio.Reader, server net.Conn) {
	var both sync.WaitGroup
	both.Add(2)
	pass := func(destination net.Conn, source io.Reader) {
		defer both.Done()
		if err := copyAtOnce(destination, source); err != nil {
			host.Close()
			server.Close()
			return
		}
		if half, can := destination.(interface{ CloseWrite() error }); can && half.CloseWrite() == nil {
			return
		}
		destination.Close()
	}
	go func() {
		pass(server, rest(fromHost, host))
		server.SetReadDeadline(time.Now().Add(limit.TunnelHalfOpenSecondsMax * time.Second))
	}()
	pass(host, server)
	both.Wait()
}

// copyAtOnce passes each part on as it arrives. io.Copy would let the kernel
// splice one connection to the other, and decide when a small part is sent.
func copyAtOnce(destination io.Writer, source io.Reader) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{destination}, struct{ io.Reader }{source}, make([]byte, bufferBytes))
	return err
}

// rest reads what was buffered before the upgrade, then the connection itself.
func rest(buffered *bufio.Reader, connection net.Conn) io.Reader {
	count := buffered.Buffered()
	if count == 0 {
		return connection
	}
	ahead, _ := buffered.Peek(count)
	return io.MultiReader(bytes.NewReader(ahead), connection)
}
