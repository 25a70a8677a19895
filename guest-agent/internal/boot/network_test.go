package boot

import (
	"os"
	"strings"
	"testing"
	"unsafe"
)

func TestStructuresHaveTheSizesOfTheKernels(t *testing.T) {
	if got := unsafe.Sizeof(interfaceRequest{}); got != 40 {
		t.Errorf("struct ifreq has %d bytes, want 40", got)
	}
	if got := unsafe.Sizeof(route{}); got != 120 {
		t.Errorf("struct rtentry has %d bytes, want 120", got)
	}
	if got := unsafe.Offsetof(route{}.flags); got != 56 {
		t.Errorf("rt_flags is at %d, want 56", got)
	}
	if got := unsafe.Offsetof(route{}.device); got != 88 {
		t.Errorf("rt_dev is at %d, want 88", got)
	}
}

func TestAddressesAreThoseOfTheProtocol(t *testing.T) {
	text, err := os.ReadFile("../../../packages/protocol/src/wire/agent.ts")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`guestAddress: "` + guestAddress.String() + `"`,
		`gatewayAddress: "` + gatewayAddress.String() + `"`,
		`prefixLength: 30`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the protocol does not have %s", want)
		}
	}
}
