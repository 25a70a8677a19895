package connections

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"
)

const outward = "169.254.77.2"

var own = Own{
	Local: netip.MustParseAddrPort(outward + ":7070"),
	Peer:  netip.MustParseAddrPort("169.254.77.1:50000"),
}

func TestIsRemoteSelectsOutwardConnectionsAndNothingElse(t *testing.T) {
	cases := []struct {
		what, local, peer string
		want              bool
	}{
		{"a connection to the internet", outward + ":40000", "44.130.7.9:443", true},
		{"an earlier call of the host", outward + ":7070", "169.254.77.1:49999", true},
		{"this call", outward + ":7070", "169.254.77.1:50000", false},
		{"the loopback", "127.0.0.1:3000", "127.0.0.1:40000", false},
		{"the loopback of IPv6", "[::1]:3000", "[::1]:40000", false},
		{"the machine's own address", outward + ":40000", outward + ":3000", false},
		{"a loopback that is called from the own address", outward + ":40000", "127.0.0.1:3000", false},
		{"a network inside the machine", "172.17.0.1:40000", "172.17.0.2:80", false},
	}
	for _, one := range cases {
		found := connection{local: netip.MustParseAddrPort(one.local), peer: netip.MustParseAddrPort(one.peer)}
		if got := isRemote(found, own); got != one.want {
			t.Errorf("%s: got %v, want %v", one.what, got, one.want)
		}
	}
}

// enterOwnNetwork moves the test's thread into a new network namespace
// where both ends of a connection are: one at the outward address, the other
// at the host's. The thread ends with the test.
func enterOwnNetwork(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can make a network namespace: run the test as root")
	}
	runtime.LockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		t.Fatalf("cannot make a network namespace: %v", err)
	}
	for _, arguments := range [][]string{
		{"link", "set", "lo", "up"},
		{"addr", "add", outward + "/32", "dev", "lo"},
		{"addr", "add", "169.254.77.1/32", "dev", "lo"},
	} {
		if output, err := exec.Command("ip", arguments...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", arguments, err, output)
		}
	}
}

// connect opens a connection between two addresses, and returns the ends of
// the client and of the server.
func connect(t *testing.T, network, from, to string) (net.Conn, net.Conn) {
	t.Helper()
	listener, err := net.Listen(network, net.JoinHostPort(to, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	dialled, err := dialer.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	called, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialled.Close(); called.Close() })
	return dialled, called
}

// blockedRead reads in the background, like a process that only waits.
func blockedRead(end net.Conn) <-chan error {
	result := make(chan error, 1)
	go func() {
		_, err := end.Read(make([]byte, 1))
		result <- err
	}()
	return result
}

func carries(t *testing.T, from, to net.Conn) {
	t.Helper()
	if err := to.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := from.Write([]byte("x")); err != nil {
		t.Errorf("%s no longer writes to %s: %v", from.LocalAddr(), from.RemoteAddr(), err)
	}
	if _, err := to.Read(make([]byte, 1)); err != nil {
		t.Errorf("%s no longer reads from %s: %v", to.LocalAddr(), to.RemoteAddr(), err)
	}
}

func ownOf(end net.Conn) Own {
	return Own{
		Local: unmap(netip.MustParseAddrPort(end.LocalAddr().String())),
		Peer:  unmap(netip.MustParseAddrPort(end.RemoteAddr().String())),
	}
}

func TestCloseRemoteEndsBlockedReadsAndKeepsTheRest(t *testing.T) {
	enterOwnNetwork(t)
	const host = "169.254.77.1"
	outgoing, _ := connect(t, "tcp4", outward, host)
	_, earlierCall := connect(t, "tcp4", host, outward)
	hostEnd, call := connect(t, "tcp4", host, outward)
	loopbackEnd, loopback := connect(t, "tcp4", "127.0.0.1", "127.0.0.1")
	innerEnd, inner := connect(t, "tcp4", outward, outward)
	blocked := map[string]<-chan error{"outgoing": blockedRead(outgoing), "an earlier call": blockedRead(earlierCall)}

	closed, err := CloseRemote(ownOf(call))
	if err != nil || closed != 2 {
		t.Fatalf("closed %d connections, %v; want 2", closed, err)
	}
	for what, result := range blocked {
		if err := <-result; !errors.Is(err, syscall.ECONNABORTED) {
			t.Errorf("%s: the blocked read ended with %v, want %v", what, err, syscall.ECONNABORTED)
		}
	}
	carries(t, hostEnd, call)
	carries(t, loopbackEnd, loopback)
	carries(t, innerEnd, inner)
	if closed, err := CloseRemote(ownOf(call)); err != nil || closed != 0 {
		t.Errorf("a second time closed %d connections, %v; want 0", closed, err)
	}
}

func TestCloseRemoteFindsConnectionsOfDualStackServers(t *testing.T) {
	enterOwnNetwork(t)
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := netip.MustParseAddrPort(listener.Addr().String()).Port()
	called := netip.AddrPortFrom(netip.MustParseAddr(outward), port)
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("169.254.77.1")}}
	dialled, err := dialer.Dial("tcp", called.String())
	if err != nil {
		t.Fatal(err)
	}
	defer dialled.Close()
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	result := blockedRead(accepted)
	if closed, err := CloseRemote(own); err != nil || closed != 1 {
		t.Fatalf("closed %d connections, %v; want 1", closed, err)
	}
	if err := <-result; !errors.Is(err, syscall.ECONNABORTED) {
		t.Errorf("the blocked read ended with %v", err)
	}
	if _, err := net.Dial("tcp", called.String()); err != nil {
		t.Errorf("the server no longer listens: %v", err)
	}
}

func TestCloseRemoteLetsAConnectFailThatGetsNoResponse(t *testing.T) {
	enterOwnNetwork(t)
	listener, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(listener)
	address := &syscall.SockaddrInet4{Addr: [4]byte{169, 254, 77, 1}, Port: 8022}
	if err := syscall.Bind(listener, address); err != nil {
		t.Fatal(err)
	}
	// A backlog of none accepts one connection and does not respond to others.
	if err := syscall.Listen(listener, 0); err != nil {
		t.Fatal(err)
	}
	var dialled [4]int
	for index := range dialled {
		socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer syscall.Close(socket)
		if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{169, 254, 77, 2}}); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Connect(socket, address); err != nil && err != syscall.EINPROGRESS {
			t.Fatal(err)
		}
		dialled[index] = socket
	}
	if closed, err := CloseRemote(own); err != nil || closed != len(dialled) {
		t.Fatalf("closed %d connections, %v; want %d", closed, err, len(dialled))
	}
	for _, socket := range dialled {
		number, err := syscall.GetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_ERROR)
		if err != nil || syscall.Errno(number) != syscall.ECONNABORTED {
			t.Errorf("the connect ended with %v, %v", syscall.Errno(number), err)
		}
	}
}
