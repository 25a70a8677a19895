package tunnel

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"opencomputer/guest-agent/internal/wire"
)

// serve runs an agent that only has tunnels.
func serve(t *testing.T, service *Service) string {
	t.Helper()
	agent := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		if err := service.Open(response, request); err != nil {
			wire.WriteError(response, err)
		}
	}))
	t.Cleanup(agent.Close)
	return agent.Listener.Addr().String()
}

// open sends the upgrade, with more behind it, and reads the head of the response.
func open(t *testing.T, agent string, port any, more string) (net.Conn, *bufio.Reader, *http.Response) {
	t.Helper()
	connection, err := net.Dial("tcp", agent)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	fmt.Fprintf(connection, "GET /v1/tunnel?port=%v HTTP/1.1\r\nHost: agent\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n%s", port, protocol, more)
	reader := bufio.NewReader(connection)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	return connection, reader, response
}

// listen echoes what each client sends and, at its end, adds "end".
func listen(t *testing.T, address string) int {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("cannot listen on %s: %v", address, err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(client, client)
				io.WriteString(client, "end")
				client.Close()
			}()
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

func TestPassesBytesAndEndsInBothDirections(t *testing.T) {
	agent := serve(t, NewService(1))
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		connection, reader, response := open(t, agent, listen(t, address), "ahead,")
		if response.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%s: got %d", address, response.StatusCode)
		}
		io.WriteString(connection, "then,")
		connection.(*net.TCPConn).CloseWrite()
		if got, err := io.ReadAll(reader); err != nil || string(got) != "ahead,then,end" {
			t.Errorf("%s: got %q, %v", address, got, err)
		}
	}
}

func TestPortWithoutServerIsNotListening(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	_, _, response := open(t, serve(t, NewService(1)), port, "")
	body, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusBadGateway || !strings.Contains(string(body), `"code":"port_not_listening"`) {
		t.Errorf("got %d %s", response.StatusCode, body)
	}
}

func TestRefusesInvalidPortsAndThatOfTheAgent(t *testing.T) {
	agent := serve(t, NewService(7070))
	for _, port := range []any{0, -1, 65536, "", "x", 7070, "07070", "+7070"} {
		_, _, response := open(t, agent, port, "")
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("port %v: got %d", port, response.StatusCode)
		}
	}
}

func TestLimitsTheTunnels(t *testing.T) {
	service := NewService(1)
	for len(service.open) < cap(service.open) {
		service.open <- struct{}{}
	}
	port := listen(t, "127.0.0.1:0")
	agent := serve(t, service)
	_, _, refused := open(t, agent, port, "")
	if refused.StatusCode != http.StatusTooManyRequests {
		t.Errorf("got %d", refused.StatusCode)
	}
	<-service.open
	_, _, taken := open(t, agent, port, "")
	if taken.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("got %d", taken.StatusCode)
	}
}
