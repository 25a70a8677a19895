package command

import (
	"bytes"
	"math/rand"
	"strings"
	"testing"

	"opencomputer/guest-agent/internal/limit"
)

// newSmallTranscript keeps few bytes, so that tests wrap around the ring.
func newSmallTranscript(t *testing.T, bytesMax int) *transcript {
	t.Helper()
	kept, err := newTranscript(&budget{bytesMax: 64 << 20}, limit.SessionReplayBytesMax)
	must(t, err)
	whole := kept.ring
	t.Cleanup(func() {
		kept.ring = whole
		kept.release()
	})
	kept.ring = whole[:bytesMax]
	return kept
}

// drain reads all kept output, stream by stream, and the order of frames.
func drain(t *testing.T, reader *transcriptReader) (stdout, stderr string, kinds []frameType) {
	t.Helper()
	space := make([]byte, 100)
	for {
		kind, count, more := reader.next(space)
		if !more {
			t.Fatal("the reader has left")
		}
		if len(kinds) == 0 || kinds[len(kinds)-1] != kind {
			kinds = append(kinds, kind)
		}
		switch kind {
		case frameStdout:
			stdout += string(space[:count])
		case frameStderr:
			stderr += string(space[:count])
		case frameExit:
			return stdout, stderr, kinds
		}
	}
}

func TestTranscriptReplaysInOrderAndMarksTheEndOfTheReplay(t *testing.T) {
	kept := newSmallTranscript(t, 1<<20)
	kept.write(frameStdout, []byte("one "))
	kept.write(frameStderr, []byte("two "))
	reader := kept.read()
	kept.write(frameStderr, []byte("three "))
	kept.write(frameStdout, []byte("four"))
	kept.close()
	stdout, stderr, kinds := drain(t, reader)
	if stdout != "one four" || stderr != "two three " {
		t.Errorf("got %q and %q", stdout, stderr)
	}
	want := []frameType{frameStdout, frameStderr, frameReplayEnd, frameStderr, frameStdout, frameExit}
	if !bytes.Equal(bytesOf(kinds), bytesOf(want)) {
		t.Errorf("got the frames %v, want %v", kinds, want)
	}
}

func bytesOf(kinds []frameType) (data []byte) {
	for _, kind := range kinds {
		data = append(data, byte(kind))
	}
	return data
}

func TestTranscriptWithoutAReaderDropsTheOldest(t *testing.T) {
	kept := newSmallTranscript(t, 1000)
	for round := 0; round < 100; round++ {
		kept.write(frameStdout, []byte(strings.Repeat("x", 99)+"\n"))
	}
	kept.write(frameStdout, []byte("end"))
	kept.close()
	stdout, _, _ := drain(t, kept.read())
	if len(stdout) > 1000 || len(stdout) < 800 || !strings.HasSuffix(stdout, "x\nend") {
		t.Errorf("got %d bytes that end %q", len(stdout), stdout[len(stdout)-5:])
	}
	if _, truncated := kept.contents(frameStdout); !truncated {
		t.Error("the dropped output is not reported")
	}
}

func TestTranscriptBoundsAlternatingStreams(t *testing.T) {
	kept := newSmallTranscript(t, 10_000)
	for round := 0; round < 10_000; round++ {
		kept.write(frameStdout+frameType(round%2), []byte("x"))
	}
	if len(kept.pieces) > 10_000/pieceOverheadBytes {
		t.Errorf("%d pieces are kept in 10000 bytes", len(kept.pieces))
	}
}

func TestTranscriptWaitsForTheSlowestReader(t *testing.T) {
	kept := newSmallTranscript(t, 1000)
	slow, quick := kept.read(), kept.read()
	go func() {
		for round := 0; round < 200; round++ {
			kept.write(frameStdout, []byte(strings.Repeat("x", 99)+"\n"))
		}
		kept.close()
	}()
	quickly := make(chan int)
	go func() {
		count, space := 0, make([]byte, 100)
		for kind := frameStdout; kind != frameExit; {
			var part int
			kind, part, _ = quick.next(space)
			count += part
		}
		quickly <- count
	}()
	stdout, _, _ := drain(t, slow)
	if len(stdout) != 20_000 || <-quickly != 20_000 {
		t.Errorf("the slow reader got %d bytes", len(stdout))
	}
}

func TestTranscriptContinuesWhenItsReaderLeaves(t *testing.T) {
	kept := newSmallTranscript(t, 1000)
	reader := kept.read()
	written := make(chan struct{})
	go func() {
		kept.write(frameStdout, bytes.Repeat([]byte("x"), 5000))
		close(written)
	}()
	reader.leave()
	<-written
	if _, _, more := reader.next(make([]byte, 10)); more {
		t.Error("a reader that has left gets more output")
	}
}

func FuzzTranscriptKeepsTheEnd(f *testing.F) {
	for seed := int64(0); seed < 40; seed++ {
		f.Add(seed, uint16(seed*37))
	}
	f.Fuzz(func(t *testing.T, seed int64, size uint16) {
		random := rand.New(rand.NewSource(seed))
		kept := newSmallTranscript(t, 4*pieceOverheadBytes+int(size))
		var all [3]string
		for round := random.Intn(60); round > 0; round-- {
			stream := frameStdout + frameType(random.Intn(2))
			part := make([]byte, random.Intn(1+len(kept.ring)/3))
			random.Read(part)
			kept.write(stream, part)
			all[stream] += string(part)
		}
		reader := kept.read()
		kept.close()
		stdout, stderr, kinds := drain(t, reader)
		if !strings.HasSuffix(all[frameStdout], stdout) || !strings.HasSuffix(all[frameStderr], stderr) {
			t.Error("what is replayed is not the end of what was written")
		}
		if len(kinds) < 2 || kinds[len(kinds)-2] != frameReplayEnd {
			t.Errorf("the replay ends with %v", kinds)
		}
		if kept.used(kept.start) > uint64(len(kept.ring)) {
			t.Errorf("%d bytes are kept in %d", kept.used(kept.start), len(kept.ring))
		}
	})
}

func TestReadFromLineStartsAfterAnIncompleteLine(t *testing.T) {
	kept := newSmallTranscript(t, 256)
	kept.write(frameStdout, []byte("first\n"))
	if reader := kept.readFromLine(); reader.position != 0 {
		t.Errorf("with all output kept it begins at %d", reader.position)
	} else {
		reader.leave()
	}
	kept.write(frameStdout, []byte(strings.Repeat("x", 200)+"\nlast line"))
	reader := kept.readFromLine()
	space := make([]byte, 64)
	kind, count, _ := reader.next(space)
	if kind != frameStdout || string(space[:count]) != "last line" {
		t.Errorf("got %d %q", kind, space[:count])
	}
}

func TestAnAbandonedTranscriptWaitsForNoReader(t *testing.T) {
	kept := newSmallTranscript(t, 256)
	reader := kept.read()
	written := make(chan struct{})
	go func() {
		defer close(written)
		for count := 0; count < 100; count++ {
			kept.write(frameStdout, bytes.Repeat([]byte("x"), 50))
		}
	}()
	kept.abandon()
	<-written
	if used := kept.used(reader.position); used > 256 {
		t.Errorf("%d bytes are kept", used)
	}
}
