package command

import (
	"bufio"
	"io"
	"strconv"
	"strings"

	"opencomputer/guest-agent/internal/wire"
)

const timeoutNotice = "\nProcess timed out"

// Result is the result of a command that has ended. The caller must release it.
type Result struct {
	ExitCode       int
	TimedOut       bool
	stdout, stderr *capture
}

// WriteJSON writes the response of POST /v1/exec/run. Output is text in it: bytes
// that are not UTF-8 become U+FFFD.
func (r *Result) WriteJSON(destination io.Writer) error {
	bufferBytes := 4 << 10
	if len(r.stdout.mapped)+len(r.stderr.mapped) > 0 {
		bufferBytes = 128 << 10
	}
	out := bufio.NewWriterSize(destination, bufferBytes)
	out.WriteString(`{"exitCode":`)
	out.WriteString(strconv.Itoa(r.ExitCode))
	if r.stdout.truncated || r.stderr.truncated {
		out.WriteString(`,"truncated":true`)
	}
	out.WriteString(`,"stdout":"`)
	writeText(out, r.stdout.chunks(), "")
	out.WriteString(`","stderr":"`)
	notice := ""
	if r.TimedOut {
		notice = timeoutNotice
	}
	writeText(out, r.stderr.chunks(), notice)
	out.WriteString(`"}`)
	return out.Flush()
}

// Message returns the output that explains why the command failed: its standard
// error, or else its standard output, without surrounding white space.
func (r *Result) Message() string {
	for _, kept := range []*capture{r.stderr, r.stdout} {
		var text strings.Builder
		for _, chunk := range kept.chunks() {
			text.Write(chunk)
		}
		if message := strings.TrimSpace(text.String()); message != "" {
			return message
		}
	}
	return ""
}

// Release releases the memory of the output.
func (r *Result) Release() {
	r.stdout.release()
	r.stderr.release()
}

// writeText writes complete output, followed by the notice.
func writeText(out *bufio.Writer, chunks [][]byte, notice string) {
	text := writePartialText(out, chunks)
	text.Close()
	text.Write([]byte(notice))
	text.Close()
}

// writePartialText writes output that may continue: a character that is
// incomplete at its end is not written until the writer is closed.
func writePartialText(out *bufio.Writer, chunks [][]byte) *wire.TextWriter {
	text := wire.NewTextWriter(out)
	for _, chunk := range chunks {
		text.Write(chunk)
	}
	return text
}
