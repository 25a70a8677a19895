package terminal

import (
	"bufio"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"opencomputer/guest-agent/internal/wire"
)

func open(t *testing.T, size Size) (*Terminal, *os.File) {
	t.Helper()
	controlling, programs, err := Open(size, uint32(os.Getuid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { controlling.Close(); programs.Close() })
	return controlling, programs
}

func TestWhatIsTypedIsEchoedAndRead(t *testing.T) {
	controlling, programs := open(t, Size{80, 24})
	if _, err := controlling.Write([]byte("typed\n")); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(programs).ReadString('\n')
	if err != nil || line != "typed\n" {
		t.Errorf("read %q, %v", line, err)
	}
	shown := make([]byte, 64)
	count, err := controlling.Read(shown)
	if err != nil || string(shown[:count]) != "typed\r\n" {
		t.Errorf("shown %q, %v", shown[:count], err)
	}
}

func TestResizeIsSeenByPrograms(t *testing.T) {
	controlling, programs := open(t, Size{80, 24})
	for _, size := range []Size{{80, 24}, {1, 1}, {1000, 1000}, {1000, 1000}} {
		if err := controlling.Resize(size); err != nil {
			t.Fatal(err)
		}
		if seen, err := readSize(programs.Fd()); err != nil || seen != size {
			t.Errorf("seen %v, %v; expected %v", seen, err, size)
		}
	}
}

func TestSizesWithoutCharactersOrPastTheLimitAreRefused(t *testing.T) {
	for _, size := range []Size{{1, 1}, {1000, 1000}} {
		if err := size.Check(); err != nil {
			t.Errorf("%v: %v", size, err)
		}
	}
	for _, size := range []Size{{0, 24}, {80, 0}, {-1, 24}, {10_000, 24}, {80, 1001}} {
		var refusal *wire.Error
		if err := size.Check(); !errors.As(err, &refusal) || refusal.Code != wire.InvalidRequest || !strings.Contains(refusal.Message, "from 1 to 1000") {
			t.Errorf("%v: %v", size, err)
		}
	}
}

func TestReadsSupportDeadlines(t *testing.T) {
	controlling, _ := open(t, Size{80, 24})
	if err := controlling.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := controlling.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestTheEndOfAllProgramsIsEIO(t *testing.T) {
	controlling, programs := open(t, Size{80, 24})
	if _, err := programs.WriteString("last"); err != nil {
		t.Fatal(err)
	}
	programs.Close()
	shown := make([]byte, 64)
	if count, err := controlling.Read(shown); err != nil || string(shown[:count]) != "last" {
		t.Errorf("shown %q, %v", shown[:count], err)
	}
	if _, err := controlling.Read(shown); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v", err)
	}
}
