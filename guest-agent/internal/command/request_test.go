package command

import (
	"errors"
	"strings"
	"testing"

	"opencomputer/guest-agent/internal/limit"
	"opencomputer/guest-agent/internal/wire"
)

func valid() Request {
	return Request{Command: []string{"true"}, TimeoutMilliseconds: 1000, OutputBytesMax: 1000}
}

func TestCheckAcceptsTheSmallestAndTheLargest(t *testing.T) {
	request := valid()
	if err := request.Check(); err != nil {
		t.Error(err)
	}
	request.Command = []string{"echo", strings.Repeat("x", limit.ArgumentBytesMax)}
	request.TimeoutMilliseconds = limit.CommandTimeoutSecondsMax * 1000
	request.OutputBytesMax = limit.CommandOutputBytesMax
	if err := request.Check(); err != nil {
		t.Error(err)
	}
}

func TestCheckRefusesInvalidCommands(t *testing.T) {
	nul := "a\x00b"
	cases := map[string]func(*Request){
		"no command":           func(r *Request) { r.Command = nil },
		"empty program":        func(r *Request) { r.Command = []string{""} },
		"NUL in an argument":   func(r *Request) { r.Command = []string{"echo", nul} },
		"argument too long":    func(r *Request) { r.Command = []string{"echo", strings.Repeat("x", limit.ArgumentBytesMax+1)} },
		"too many arguments":   func(r *Request) { r.Command = make([]string, limit.CommandArgumentsMax+4); r.Command[0] = "echo" },
		"= in a variable name": func(r *Request) { r.Environment = map[string]string{"A=B": "1"} },
		"empty variable name":  func(r *Request) { r.Environment = map[string]string{"": "1"} },
		"NUL in a variable":    func(r *Request) { r.Environment = map[string]string{"A": nul} },
		"variable too long":    func(r *Request) { r.Environment = map[string]string{"A": strings.Repeat("x", limit.ArgumentBytesMax)} },
		"NUL in the directory": func(r *Request) { r.WorkingDirectory = &nul },
		"no time":              func(r *Request) { r.TimeoutMilliseconds = 0 },
		"too much time":        func(r *Request) { r.TimeoutMilliseconds = limit.CommandTimeoutSecondsMax*1000 + 1 },
		"no output":            func(r *Request) { r.OutputBytesMax = 0 },
		"too much output":      func(r *Request) { r.OutputBytesMax = limit.CommandOutputBytesMax + 1 },
	}
	for name, spoil := range cases {
		request := valid()
		spoil(&request)
		requireCode(t, name, request.Check(), wire.InvalidRequest)
	}
}

func requireCode(t *testing.T, name string, err error, code wire.Code) {
	t.Helper()
	var known *wire.Error
	if !errors.As(err, &known) || known.Code != code {
		t.Errorf("%s: got %v, want the code %s", name, err, code)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"command":["/bin/bash","-c","x"],"environment":{"A":"b"},"workingDirectory":null,"timeoutMilliseconds":1,"outputBytesMax":1,"asRoot":false}`))
	f.Add([]byte(`{"command":["a\u0000"],"environment":{"A=":""},"workingDirectory":"..","timeoutMilliseconds":9223372036854775807,"outputBytesMax":-1}`))
	f.Add([]byte(`{"command":[[]]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var request Request
		if wire.ParseJSON(text, &request) != nil || request.Check() != nil {
			return
		}
		for _, argument := range request.Command {
			if strings.IndexByte(argument, 0) >= 0 {
				t.Errorf("%q lets NUL into an argument", text)
			}
		}
		for name, value := range request.Environment {
			if strings.ContainsAny(name, "=\x00") || strings.IndexByte(value, 0) >= 0 {
				t.Errorf("%q lets %q=%q into the environment", text, name, value)
			}
		}
	})
}
