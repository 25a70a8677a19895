package wire

import (
	"bufio"
	"unicode/utf8"
)

// TextWriter writes bytes as the content of a JSON string (RFC 8259, section 7),
// piece by piece, so that a long text is never in memory twice. Bytes that are not
// UTF-8 become U+FFFD; a character may be split between two pieces.
type TextWriter struct {
	out *bufio.Writer
	// The first bytes of a character whose rest is in the next piece.
	partial []byte
}

// NewTextWriter starts a string; the caller writes the quotes around it.
func NewTextWriter(out *bufio.Writer) *TextWriter {
	return &TextWriter{out: out}
}

// Write appends bytes to the string. The bufio.Writer keeps errors.
func (w *TextWriter) Write(data []byte) (int, error) {
	length := len(data)
	for len(w.partial) > 0 && len(data) > 0 {
		w.partial = append(w.partial, data[0])
		data = data[1:]
		for len(w.partial) > 0 && utf8.FullRune(w.partial) {
			size := w.writeRune(w.partial)
			w.partial = w.partial[size:]
		}
	}
	start := 0
	for start < len(data) {
		end := start
		for end < len(data) && isPlain(data[end]) {
			end++
		}
		w.out.Write(data[start:end])
		if end == len(data) {
			break
		}
		rest := data[end:]
		if !utf8.FullRune(rest) {
			w.partial = append(w.partial[:0], rest...)
			break
		}
		start = end + w.writeRune(rest)
	}
	return length, nil
}

// Close ends the string: an incomplete character at its end becomes U+FFFD.
func (w *TextWriter) Close() {
	for len(w.partial) > 0 {
		size := w.writeRune(w.partial)
		w.partial = w.partial[size:]
	}
}

// isPlain reports whether a byte is not escaped in a JSON string.
func isPlain(character byte) bool {
	return character >= 0x20 && character < 0x7f && character != '"' && character != '\\'
}

// writeRune writes the first character of bytes and returns its length.
func (w *TextWriter) writeRune(data []byte) int {
	const hex = "0123456789abcdef"
	first := data[0]
	switch {
	case first == '"' || first == '\\':
		w.out.WriteByte('\\')
		w.out.WriteByte(first)
		return 1
	case first == '\n':
		w.out.WriteString(`\n`)
		return 1
	case first == '\r':
		w.out.WriteString(`\r`)
		return 1
	case first == '\t':
		w.out.WriteString(`\t`)
		return 1
	case first < 0x20 || first == 0x7f:
		w.out.WriteString(`\u00`)
		w.out.WriteByte(hex[first>>4])
		w.out.WriteByte(hex[first&0xf])
		return 1
	}
	character, size := utf8.DecodeRune(data)
	if character == utf8.RuneError && size == 1 {
		w.out.WriteString(`\ufffd`)
		return 1
	}
	w.out.Write(data[:size])
	return size
}
