package machine

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"opencomputer/guest-agent/internal/wire"
)

func valid() Request {
	return Request{
		TimeUnixMilliseconds: 1_700_000_000_000,
		EntropyBase64:        base64.StdEncoding.EncodeToString(make([]byte, 32)),
		Hostname:             "sb-abc234",
		MachineID:            "0123456789abcdef0123456789abcdef",
		CPUCount:             1,
	}
}

func TestCheckReturnsTheEntropy(t *testing.T) {
	request := valid()
	entropy, err := request.check()
	if err != nil || len(entropy) != 32 {
		t.Errorf("got %d bytes, %v", len(entropy), err)
	}
}

func TestCheckRefusesInvalidRequests(t *testing.T) {
	cases := map[string]func(*Request){
		"time before 1970":   func(r *Request) { r.TimeUnixMilliseconds = -1 },
		"no base64":          func(r *Request) { r.EntropyBase64 = "%" },
		"little entropy":     func(r *Request) { r.EntropyBase64 = "AAAA" },
		"much entropy":       func(r *Request) { r.EntropyBase64 = strings.Repeat("AAAA", 200) },
		"empty host name":    func(r *Request) { r.Hostname = "" },
		"host name of lines": func(r *Request) { r.Hostname = "a\n127.0.0.1 b" },
		"long host name":     func(r *Request) { r.Hostname = strings.Repeat("a", 64) },
		"upper-case id":      func(r *Request) { r.MachineID = strings.ToUpper(r.MachineID) },
		"short id":           func(r *Request) { r.MachineID = "0123" },
		"half a generation":  func(r *Request) { r.Generation = "0123" },
		"no processor":       func(r *Request) { r.CPUCount = 0 },
		"many processors":    func(r *Request) { r.CPUCount = 9 },
		"a broken variable":  func(r *Request) { r.Environment = map[string]string{"A": "\x00"} },
	}
	for name, spoil := range cases {
		request := valid()
		spoil(&request)
		_, err := request.check()
		var known *wire.Error
		if !errors.As(err, &known) || known.Code != wire.InvalidRequest {
			t.Errorf("%s: got %v, want %s", name, err, wire.InvalidRequest)
		}
	}
}
