package connections

import (
	"bytes"
	"encoding/binary"
	"math/rand"
	"net/netip"
	"syscall"
	"testing"
)

// described is the kernel's description of a socket.
func described(family byte, local, peer netip.AddrPort) []byte {
	data := make([]byte, responseBytesMin)
	data[0] = family
	data[1] = 1
	binary.BigEndian.PutUint16(data[4:], local.Port())
	binary.BigEndian.PutUint16(data[6:], peer.Port())
	copy(data[8:], addressBytes(family, local.Addr()))
	copy(data[24:], addressBytes(family, peer.Addr()))
	binary.LittleEndian.PutUint64(data[44:], 0x1122334455667788)
	return data
}

func addressBytes(family byte, address netip.Addr) []byte {
	if family == syscall.AF_INET {
		four := address.As4()
		return four[:]
	}
	sixteen := address.As16()
	return sixteen[:]
}

func TestParseConnectionReadsBothEnds(t *testing.T) {
	local, peer := netip.MustParseAddrPort("169.254.0.2:40000"), netip.MustParseAddrPort("44.130.7.9:443")
	for _, family := range []byte{syscall.AF_INET, syscall.AF_INET6} {
		data := described(family, local, peer)
		found, err := parseConnection(data)
		if err != nil || found.family != family || found.local != local || found.peer != peer {
			t.Errorf("family %d: got %+v, %v", family, found, err)
		}
		if !bytes.Equal(found.id[:], data[4:52]) {
			t.Errorf("family %d: the identity changed", family)
		}
	}
	six := netip.MustParseAddrPort("[2001:db8::1]:1")
	if found, err := parseConnection(described(syscall.AF_INET6, six, six)); err != nil || found.local != six {
		t.Errorf("got %+v, %v", found, err)
	}
}

func TestParseConnectionRefusesInvalidSockets(t *testing.T) {
	whole := described(syscall.AF_INET, netip.MustParseAddrPort("1.2.3.4:5"), netip.MustParseAddrPort("1.2.3.4:6"))
	unix := append([]byte{syscall.AF_UNIX}, whole[1:]...)
	for name, data := range map[string][]byte{"nothing": {}, "a short one": whole[:responseBytesMin-1], "another family": unix} {
		if found, err := parseConnection(data); err == nil {
			t.Errorf("%s: got %+v", name, found)
		}
	}
}

func TestRequestsHaveTheFormOfTheKernel(t *testing.T) {
	found, err := parseConnection(described(syscall.AF_INET, netip.MustParseAddrPort("1.2.3.4:5"), netip.MustParseAddrPort("6.7.8.9:10")))
	if err != nil {
		t.Fatal(err)
	}
	data := destroyRequest(found, 7)
	messages, err := syscall.ParseNetlinkMessage(data)
	if err != nil || len(messages) != 1 {
		t.Fatalf("got %d messages, %v", len(messages), err)
	}
	header, body := messages[0].Header, messages[0].Data
	if header.Type != typeDestroy || header.Seq != 7 || header.Flags != syscall.NLM_F_REQUEST|syscall.NLM_F_ACK {
		t.Errorf("got the header %+v", header)
	}
	if len(body) != 56 || body[0] != syscall.AF_INET || body[1] != syscall.IPPROTO_TCP || !bytes.Equal(body[8:], found.id[:]) {
		t.Errorf("got the body %x", body)
	}
	const listening, ended, waiting = 1 << 10, 1 << 7, 1 << 6
	if states := binary.LittleEndian.Uint32(listRequest(syscall.AF_INET, 1)[20:]); states&(listening|ended|waiting) != 0 || states&(1<<1) == 0 {
		t.Errorf("asks for the states %b", states)
	}
}

func TestErrorNumberAcceptsOnlyErrorNumbers(t *testing.T) {
	number := func(value int32) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(value)) }
	for value, want := range map[int32]syscall.Errno{0: 0, -2: syscall.ENOENT, -95: syscall.EOPNOTSUPP} {
		if got, err := errorNumber(number(value)); err != nil || got != want {
			t.Errorf("%d: got %v, %v", value, got, err)
		}
	}
	for name, data := range map[string][]byte{"short": {0, 0, 0}, "positive": number(2), "far": number(-4096)} {
		if got, err := errorNumber(data); err == nil {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// For any input the parsers return a result or an error, and no message of
// another request.
func TestParsersAcceptAnyBytes(t *testing.T) {
	random := rand.New(rand.NewSource(20261121))
	valid := request(typeByFamily, 0, 3, syscall.AF_INET, identity{})
	for round := 0; round < 20_000; round++ {
		data := make([]byte, random.Intn(400))
		random.Read(data)
		if round%2 == 0 {
			data = append(append([]byte{}, valid...), data...)
			for count := random.Intn(4); count > 0; count-- {
				data[random.Intn(len(data))] = byte(random.Int())
			}
		}
		messages, err := responsesTo(3, data)
		if err != nil {
			continue
		}
		for _, message := range messages {
			if message.Header.Seq != 3 {
				t.Fatalf("round %d: a message of request %d", round, message.Header.Seq)
			}
			_, _ = parseConnection(message.Data)
			_, _ = errorNumber(message.Data)
		}
	}
}
