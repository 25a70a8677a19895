package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// newProcessors creates a sysfs in which the first processor has no switch, and
// the others have the given state.
func newProcessors(t *testing.T, states ...string) string {
	directory := t.TempDir()
	for index, state := range states {
		path := filepath.Join(directory, fmt.Sprintf("cpu%d", index+1))
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, "online"), []byte(state), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return directory
}

func states(t *testing.T, directory string, count int) string {
	var all strings.Builder
	for number := 1; number <= count; number++ {
		text, err := os.ReadFile(filepath.Join(directory, fmt.Sprintf("cpu%d", number), "online"))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text[:1])
	}
	return all.String()
}

func TestBringProcessorsOnlineSwitchesToExactlyTheCount(t *testing.T) {
	cases := []struct {
		before []string
		count  int
		after  string
	}{
		{[]string{"0\n", "0\n", "0\n"}, 3, "110"},
		{[]string{"1\n", "1\n", "1\n"}, 2, "100"},
		{[]string{"0\n", "1\n", "0\n"}, 1, "000"},
		{[]string{"1\n", "1\n", "0\n"}, 4, "111"},
	}
	for _, test := range cases {
		directory := newProcessors(t, test.before...)
		online, err := bringProcessorsOnline(directory, test.count, 0)
		if err != nil || online != test.count {
			t.Errorf("%q to %d: got %d, %v", test.before, test.count, online, err)
		}
		if got := states(t, directory, 3); got != test.after {
			t.Errorf("%q to %d became %s, want %s", test.before, test.count, got, test.after)
		}
	}
}

func TestBringProcessorsOnlineReturnsHowManyExist(t *testing.T) {
	online, err := bringProcessorsOnline(newProcessors(t, "0\n"), 4, 0)
	if err != nil || online != 2 {
		t.Errorf("got %d, %v, want the 2 that are there", online, err)
	}
}

func TestBringProcessorsOnlineWaitsForAHotPluggedOne(t *testing.T) {
	directory := newProcessors(t)
	plugged := newProcessors(t, "0\n")
	go func() {
		time.Sleep(20 * time.Millisecond)
		os.Rename(filepath.Join(plugged, "cpu1"), filepath.Join(directory, "cpu1"))
	}()
	online, err := bringProcessorsOnline(directory, 2, 30*time.Second)
	if err != nil || online != 2 {
		t.Errorf("got %d, %v, want 2", online, err)
	}
}
