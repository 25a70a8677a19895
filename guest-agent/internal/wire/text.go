package wire

import (
	"bufio"
	"unicode/utf8"
)

// TextWriter writes octets as the inside of a JSON string (RFC 8259, section
// 7), piece by piece, so that a long text is never held twice. Octets that are
// not UTF-8 become U+FFFD, also where a character is cut between two pieces.
type TextWriter struct {
	out *bufio.Writer
	// The first octets of a character whose rest is in the next piece.
	partial []byte
}

// NewTextWriter starts a string; the quotes around it are the caller's.
func NewTextWriter(out *bufio.Writer) *TextWriter {
	return &TextWriter{out: out}
}

// Write appends octets to the string. Errors stick in the bufio.Writer.
func (w *TextWriter) Write(octets []byte) (int, error) {
	length := len(octets)
	for len(w.partial) > 0 && len(octets) > 0 {
		w.partial = append(w.partial, octets[0])
		octets = octets[1:]
		for len(w.partial) > 0 && utf8.FullRune(w.partial) {
			size := w.writeRune(w.partial)
			w.partial = w.partial[size:]
		}
	}
	start := 0
	for start < len(octets) {
		end := start
		for end < len(octets) && isPlain(octets[end]) {
			end++
		}
		w.out.Write(octets[start:end])
		if end == len(octets) {
			break
		}
		rest := octets[end:]
		if !utf8.FullRune(rest) {
			w.partial = append(w.partial[:0], rest...)
			break
		}
		start = end + w.writeRune(rest)
	}
	return length, nil
}

// Close ends the string: what was cut off at its end becomes U+FFFD.
func (w *TextWriter) Close() {
	for len(w.partial) > 0 {
		size := w.writeRune(w.partial)
		w.partial = w.partial[size:]
	}
}

// isPlain tells octets that stand for themselves in a JSON string.
func isPlain(octet byte) bool {
	return octet >= 0x20 && octet < 0x7f && octet != '"' && octet != '\\'
}

// writeRune writes the first character of octets and returns its length.
func (w *TextWriter) writeRune(octets []byte) int {
	const hex = "0123456789abcdef"
	first := octets[0]
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
	character, size := utf8.DecodeRune(octets)
	if character == utf8.RuneError && size == 1 {
		w.out.WriteString(`\ufffd`)
		return 1
	}
	w.out.Write(octets[:size])
	return size
}
