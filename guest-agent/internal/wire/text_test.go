package wire

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// written returns what a TextWriter writes for bytes that arrive in pieces.
func written(pieces ...[]byte) []byte {
	var out bytes.Buffer
	buffered := bufio.NewWriter(&out)
	buffered.WriteByte('"')
	text := NewTextWriter(buffered)
	for _, piece := range pieces {
		text.Write(piece)
	}
	text.Close()
	buffered.WriteByte('"')
	buffered.Flush()
	return out.Bytes()
}

func TestTextWriterEscapesReservedCharacters(t *testing.T) {
	got := string(written([]byte("a\"\\\n\r\t\x00\x1f\x7fé")))
	if want := `"a\"\\\n\r\t\u0000\u001f\u007fé"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTextWriterReplacesEachByteThatIsNotUTF8(t *testing.T) {
	got := string(written([]byte("\xffa\xe2\x82")))
	if want := `"\ufffda\ufffd\ufffd"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTextWriterJoinsACharacterThatIsSplitBetweenPieces(t *testing.T) {
	euro := []byte("€")
	got := string(written(euro[:1], euro[1:2], euro[2:]))
	if got != `"€"` {
		t.Errorf(`got %s, want "€"`, got)
	}
}

func FuzzTextWriter(f *testing.F) {
	f.Add([]byte("plain text"), uint8(3))
	f.Add([]byte("\xe2\x82\xac\xf0\x9f\x92\xa9"), uint8(2))
	f.Add([]byte("\xed\xa0\x80\xc0\xaf\xff\xfe\""), uint8(1))
	f.Add([]byte("\xf0\x9fa\xe2"), uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, cut uint8) {
		at := 0
		if len(data) > 0 {
			at = int(cut) % (len(data) + 1)
		}
		text := written(data[:at], data[at:])
		var got string
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%q became %q, which is not JSON: %v", data, text, err)
		}
		var want strings.Builder
		for _, character := range string(data) {
			want.WriteRune(character)
		}
		if got != want.String() {
			t.Errorf("%q cut at %d became %q, want %q", data, at, got, want.String())
		}
	})
}
