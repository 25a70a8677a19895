package command

import (
	"bytes"
	"strings"
	"testing"
)

func TestRunReturnsTenMegabytesCompletely(t *testing.T) {
	got := newSandbox(t).run(script(`head -c 10000000 /dev/zero | tr '\0' x`))
	if len(got.Stdout) != 10_000_000 || strings.Trim(got.Stdout, "x") != "" || got.Truncated {
		t.Errorf("got %d bytes, truncated %v", len(got.Stdout), got.Truncated)
	}
}

func TestRunDropsOutputOverTheLimitOfEachStream(t *testing.T) {
	s := newSandbox(t)
	request := script(`head -c 300000 /dev/zero | tr '\0' o; head -c 100000 /dev/zero | tr '\0' e >&2; exit 5`)
	request.OutputBytesMax = 100_000
	got := s.run(request)
	if got.Stdout != strings.Repeat("o", 100_000) || got.Stderr != strings.Repeat("e", 100_000) {
		t.Errorf("got %d and %d bytes, want 100000 of each", len(got.Stdout), len(got.Stderr))
	}
	if !got.Truncated || got.ExitCode != 5 {
		t.Errorf("got truncated %v and exit code %d", got.Truncated, got.ExitCode)
	}
	request.Command[2] = `head -c 100000 /dev/zero | tr '\0' o`
	if s.run(request).Truncated {
		t.Error("output of exactly the limit counts as truncated")
	}
}

func TestRunDropsOutputOverTheBudgetOfAllCommands(t *testing.T) {
	s := newSandbox(t)
	s.budget.bytesMax = 2 * mappedChunkBytes
	got := s.run(script(`head -c 9000000 /dev/zero | tr '\0' x`))
	if want := firstChunkBytes + 2*mappedChunkBytes; len(got.Stdout) != want || !got.Truncated {
		t.Errorf("got %d bytes, truncated %v, want %d", len(got.Stdout), got.Truncated, want)
	}
	if used := s.budget.bytesUsed.Load(); used != 0 {
		t.Errorf("%d bytes were not given back", used)
	}
	if got := s.run(script("echo again")); got.Stdout != "again\n" || got.Truncated {
		t.Errorf("afterwards got %+v", got)
	}
}

func FuzzCaptureKeepsThePrefix(f *testing.F) {
	f.Add([]byte("some output"), uint16(4), uint16(3))
	f.Add(bytes.Repeat([]byte("x"), 20000), uint16(9000), uint16(700))
	f.Add([]byte{}, uint16(1), uint16(1))
	f.Fuzz(func(t *testing.T, output []byte, bytesMax, pieceBytes uint16) {
		kept := newCapture(&budget{bytesMax: 64 << 20}, int64(bytesMax)+1)
		defer kept.release()
		source := &piecewise{rest: output, size: int(pieceBytes) + 1}
		for len(source.rest) > 0 {
			if _, err := kept.readOnce(source); err != nil {
				t.Fatal(err)
			}
		}
		var got []byte
		for _, chunk := range kept.chunks() {
			got = append(got, chunk...)
		}
		want := output
		if len(want) > int(bytesMax)+1 {
			want = want[:int(bytesMax)+1]
		}
		if !bytes.Equal(got, want) || kept.truncated != (len(output) > len(want)) {
			t.Errorf("kept %d of %d bytes, truncated %v, limit %d", len(got), len(output), kept.truncated, int(bytesMax)+1)
		}
	})
}

// piecewise returns its bytes in reads of a given size.
type piecewise struct {
	rest []byte
	size int
}

func (p *piecewise) Read(space []byte) (int, error) {
	piece := p.rest
	if len(piece) > p.size {
		piece = piece[:p.size]
	}
	count := copy(space, piece)
	p.rest = p.rest[count:]
	return count, nil
}
