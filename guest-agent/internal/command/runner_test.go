package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"opencomputer/guest-agent/internal/account"
	"opencomputer/guest-agent/internal/environment"
)

// runResponse is the JSON that the host gets.
type runResponse struct {
	ExitCode  int    `json:"exitCode"`
	Stdout    string `json:"stdout"`
	Stderr    string `json:"stderr"`
	Truncated bool   `json:"truncated"`
}

// testScores are values between which a process may switch without
// CAP_SYS_RESOURCE.
var testScores = Scores{Agent: 300, Commands: 700}

// sandbox is a Runner whose user is uid 1000 with a temporary home directory.
type sandbox struct {
	t *testing.T
	*Runner
	home string
}

func newSandbox(t *testing.T) sandbox {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: commands run as another user")
	}
	home, err := os.MkdirTemp("", "sandbox-home-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	must(t, os.Chown(home, 1000, 1000))
	must(t, os.Chmod(home, 0o755))
	files := t.TempDir()
	passwd, group, image := filepath.Join(files, "passwd"), filepath.Join(files, "group"), filepath.Join(files, "environment")
	must(t, os.WriteFile(passwd, []byte(fmt.Sprintf("sandbox:x:1000:1000::%s:/bin/bash\n", home)), 0o644))
	must(t, os.WriteFile(group, []byte("sandbox:x:1000:\nextra:x:4321:sandbox\n"), 0o644))
	must(t, os.WriteFile(image, []byte("PATH=/usr/local/bin:/usr/bin:/bin\nLAYER=image\n"), 0o644))
	store, err := environment.Open(image, filepath.Join(files, "saved"))
	must(t, err)
	protection, err := Protect(testScores)
	must(t, err)
	runner, err := NewRunner(store, account.NewBook(passwd, group), "sandbox", protection)
	must(t, err)
	return sandbox{t: t, Runner: runner, home: home}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func script(text string) *Request {
	return &Request{Command: []string{"/bin/bash", "-c", text}, TimeoutMilliseconds: 60_000, OutputBytesMax: 32 << 20}
}

func (s sandbox) run(request *Request) runResponse {
	s.t.Helper()
	return s.runUntil(context.Background(), request)
}

func (s sandbox) runUntil(ctx context.Context, request *Request) runResponse {
	s.t.Helper()
	result, err := s.Run(ctx, request)
	must(s.t, err)
	defer result.Release()
	var text bytes.Buffer
	must(s.t, result.WriteJSON(&text))
	var got runResponse
	if err := json.Unmarshal(text.Bytes(), &got); err != nil {
		s.t.Fatalf("the response is not JSON: %v", err)
	}
	return got
}

func (s sandbox) refuse(request *Request) error {
	s.t.Helper()
	result, err := s.Run(context.Background(), request)
	if err == nil {
		result.Release()
		s.t.Fatal("the command ran, expected an error")
	}
	return err
}

// eventually waits for something that happens in another process.
func (s sandbox) eventually(what string, happened func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !happened(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("did not happen: %s", what)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
