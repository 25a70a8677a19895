package files

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"opencomputer/guest-agent/internal/account"
	"opencomputer/guest-agent/internal/wire"
)

// sandbox is a Service behind a real server, with a home directory of uid 1000.
type sandbox struct {
	t    *testing.T
	home string
	url  string
}

func newSandbox(t *testing.T) sandbox {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: files are given to another user")
	}
	home, accounts := t.TempDir(), t.TempDir()
	passwd, group := filepath.Join(accounts, "passwd"), filepath.Join(accounts, "group")
	must(t, os.WriteFile(passwd, []byte(fmt.Sprintf("sandbox:x:1000:1000::%s:/bin/bash\n", home)), 0o644))
	must(t, os.WriteFile(group, nil, 0o644))
	service := NewService(account.NewBook(passwd, group), "sandbox")
	routes := map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /files": service.Read, "PUT /files": service.Write, "DELETE /files": service.Remove,
		"GET /list": service.List, "POST /mkdir": service.MakeDirectory,
	}
	server := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		if err := routes[request.Method+" "+request.URL.Path](response, request); err != nil {
			wire.WriteError(response, err)
		}
	}))
	t.Cleanup(server.Close)
	return sandbox{t: t, home: home, url: server.URL}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// call returns the status and the body; the path is relative to the home.
func (s sandbox) call(method, route, path string, body io.Reader) (int, string) {
	s.t.Helper()
	request, err := http.NewRequest(method, s.url+route+"?path="+url.QueryEscape(path), body)
	must(s.t, err)
	response, err := http.DefaultClient.Do(request)
	must(s.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	must(s.t, err)
	return response.StatusCode, string(text)
}

func (s sandbox) require(status int, method, route, path, body string) string {
	s.t.Helper()
	got, text := s.call(method, route, path, strings.NewReader(body))
	if got != status {
		s.t.Fatalf("%s %s %s returned %d %s, want %d", method, route, path, got, text, status)
	}
	return text
}

func (s sandbox) refuse(code wire.Code, method, route, path string) {
	s.t.Helper()
	_, text := s.call(method, route, path, nil)
	var body struct {
		Code wire.Code `json:"code"`
	}
	if err := json.Unmarshal([]byte(text), &body); err != nil || body.Code != code {
		s.t.Errorf("%s %s %.80s returned %q, want the code %s", method, route, path, text, code)
	}
}

func (s sandbox) owner(path string) (uid uint32, mode os.FileMode) {
	s.t.Helper()
	information, err := os.Lstat(filepath.Join(s.home, path))
	must(s.t, err)
	return information.Sys().(*syscall.Stat_t).Uid, information.Mode().Perm()
}

func (s sandbox) names() string {
	s.t.Helper()
	entries, err := os.ReadDir(s.home)
	must(s.t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return strings.Join(names, " ")
}

func TestWriteThenReadReturnsTheSameBytes(t *testing.T) {
	s := newSandbox(t)
	content := strings.Repeat("\x00\xff bytes", 100_000)
	s.require(204, "PUT", "/files", "new/below/file", content)
	if got := s.require(200, "GET", "/files", "new/below/file", ""); got != content {
		t.Errorf("got %d bytes, want %d", len(got), len(content))
	}
	for _, path := range []string{"new", "new/below", "new/below/file"} {
		if uid, _ := s.owner(path); uid != 1000 {
			t.Errorf("%s belongs to %d, want the sandbox's user", path, uid)
		}
	}
	if _, mode := s.owner("new/below/file"); mode != 0o644 {
		t.Errorf("a new file has mode %v, want 0644", mode)
	}
}

func TestReadSendsTheLengthAndAcceptsAbsolutePaths(t *testing.T) {
	s := newSandbox(t)
	path := filepath.Join(s.home, "file name+&")
	s.require(204, "PUT", "/files", path, "12345")
	response, err := http.Get(s.url + "/files?path=" + url.QueryEscape(path))
	must(t, err)
	response.Body.Close()
	if response.ContentLength != 5 {
		t.Errorf("Content-Length is %d, want 5", response.ContentLength)
	}
}

func TestReadSendsAnEmptyFileAndOneWhoseSizeIsReportedAsZero(t *testing.T) {
	s := newSandbox(t)
	s.require(204, "PUT", "/files", "empty", "")
	if got := s.require(200, "GET", "/files", "empty", ""); got != "" {
		t.Errorf("got %q of an empty file", got)
	}
	if got := s.require(200, "GET", "/files", "/proc/version", ""); !strings.HasPrefix(got, "Linux") {
		t.Errorf("got %q of /proc/version", got)
	}
}

func TestReadRefusesAnythingButFiles(t *testing.T) {
	s := newSandbox(t)
	must(t, os.Mkdir(filepath.Join(s.home, "directory"), 0o755))
	must(t, syscall.Mkfifo(filepath.Join(s.home, "pipe"), 0o644))
	must(t, os.WriteFile(filepath.Join(s.home, "file"), nil, 0o644))
	must(t, os.Symlink("loop", filepath.Join(s.home, "loop")))
	s.refuse(wire.FileNotFound, "GET", "/files", "absent")
	s.refuse(wire.NotADirectory, "GET", "/files", "file/below")
	s.refuse(wire.NotAFile, "GET", "/files", "directory")
	s.refuse(wire.NotAFile, "GET", "/files", "pipe")
	s.refuse(wire.NotAFile, "GET", "/files", "/dev/zero")
	s.refuse(wire.InvalidRequest, "GET", "/files", "loop")
	s.refuse(wire.InvalidRequest, "GET", "/files", "")
	s.refuse(wire.InvalidRequest, "GET", "/files", "nul\x00")
	s.refuse(wire.InvalidRequest, "GET", "/files", strings.Repeat("x", 5000))
}

func TestWriteKeepsOwnerAndModeOfAnExistingFile(t *testing.T) {
	s := newSandbox(t)
	path := filepath.Join(s.home, "script")
	must(t, os.WriteFile(path, []byte("old"), 0o644))
	must(t, os.Chmod(path, 0o750))
	must(t, os.Chown(path, 33, 33))
	s.require(204, "PUT", "/files", "script", "new")
	if uid, mode := s.owner("script"); uid != 33 || mode != 0o750 {
		t.Errorf("got owner %d and mode %v, want 33 and 0750", uid, mode)
	}
}

func TestWriteFollowsALinkToItsTarget(t *testing.T) {
	s := newSandbox(t)
	must(t, os.Mkdir(filepath.Join(s.home, "directory"), 0o755))
	must(t, os.Symlink("directory/target", filepath.Join(s.home, "link")))
	for _, content := range []string{"made", "replaced"} {
		s.require(204, "PUT", "/files", "link", content)
		got, err := os.ReadFile(filepath.Join(s.home, "directory/target"))
		must(t, err)
		if string(got) != content {
			t.Errorf("the target has %q, want %q", got, content)
		}
	}
	if information, err := os.Lstat(filepath.Join(s.home, "link")); err != nil || information.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is no link any more: %v", err)
	}
}

func TestWriteRefusesAnythingButFiles(t *testing.T) {
	s := newSandbox(t)
	must(t, os.Mkdir(filepath.Join(s.home, "directory"), 0o755))
	must(t, os.WriteFile(filepath.Join(s.home, "file"), nil, 0o644))
	must(t, syscall.Mkfifo(filepath.Join(s.home, "pipe"), 0o644))
	must(t, os.Symlink("loop", filepath.Join(s.home, "loop")))
	s.refuse(wire.NotAFile, "PUT", "/files", "directory")
	s.refuse(wire.NotAFile, "PUT", "/files", "pipe")
	s.refuse(wire.NotADirectory, "PUT", "/files", "file/below")
	s.refuse(wire.InvalidRequest, "PUT", "/files", "loop")
	s.refuse(wire.InvalidRequest, "PUT", "/files", strings.Repeat("n", 256))
	if got := s.names(); got != "directory file loop pipe" {
		t.Errorf("left behind: %s", got)
	}
}

func TestIncompleteWriteChangesNothing(t *testing.T) {
	s := newSandbox(t)
	s.require(204, "PUT", "/files", "file", "old")
	for name, rest := range map[string]io.Reader{
		"of announced length": strings.NewReader("new but short"),
		"in chunks":           io.MultiReader(strings.NewReader("new"), failingReader{}),
	} {
		request, err := http.NewRequest("PUT", s.url+"/files?path=file", rest)
		must(t, err)
		if name == "of announced length" {
			request.ContentLength = 1_000_000
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == 204 {
				t.Errorf("an incomplete upload %s was accepted", name)
			}
		}
	}
	for deadline := time.Now().Add(30 * time.Second); s.names() != "file"; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %s", s.names())
		}
	}
	if got := s.require(200, "GET", "/files", "file", ""); got != "old" {
		t.Errorf("the file has %q, want what it had", got)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestWriteToAFullDiskChangesNothing(t *testing.T) {
	s := newSandbox(t)
	if err := syscall.Mount("tmpfs", s.home, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("needs the right to mount a small disk: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(s.home, syscall.MNT_DETACH)) })
	s.require(204, "PUT", "/files", "file", "old")
	text := s.require(507, "PUT", "/files", "file", strings.Repeat("x", 1<<20))
	if !strings.Contains(text, "guest_storage_full") {
		t.Errorf("got %s", text)
	}
	if got := s.names(); got != "file" {
		t.Errorf("left behind: %s", got)
	}
	if got := s.require(200, "GET", "/files", "file", ""); got != "old" {
		t.Errorf("the file has %q, want what it had", got)
	}
}

func TestRemoveDeletesFilesLinksAndTrees(t *testing.T) {
	s := newSandbox(t)
	s.require(204, "PUT", "/files", "tree/below/file", "x")
	s.require(204, "PUT", "/files", "kept/file", "x")
	must(t, os.Symlink("kept", filepath.Join(s.home, "link")))
	s.require(204, "DELETE", "/files", "tree", "")
	s.require(204, "DELETE", "/files", "link", "")
	if got := s.names(); got != "kept" {
		t.Errorf("left: %s, want the link's target alone", got)
	}
	s.require(204, "DELETE", "/files", "kept/file", "")
	s.refuse(wire.FileNotFound, "DELETE", "/files", "kept/file")
	s.refuse(wire.InvalidRequest, "DELETE", "/files", "/")
}

func TestListReturnsEntriesByName(t *testing.T) {
	s := newSandbox(t)
	s.require(204, "PUT", "/files", "directory/b", "12")
	s.require(204, "PUT", "/files", "directory/a/below", "")
	must(t, os.Symlink("a", filepath.Join(s.home, "directory/c")))
	var got []entry
	must(t, json.Unmarshal([]byte(s.require(200, "GET", "/list", "directory", "")), &got))
	at := filepath.Join(s.home, "directory")
	if len(got) != 3 || got[1] != (entry{Name: "b", Path: at + "/b", Size: 2}) {
		t.Fatalf("got %+v", got)
	}
	if got[0].Name != "a" || !got[0].IsDir || got[2].Name != "c" || got[2].IsDir {
		t.Errorf("got %+v", got)
	}
	must(t, os.Mkdir(filepath.Join(s.home, "empty"), 0o755))
	if got := s.require(200, "GET", "/list", "empty", ""); got != "[]" {
		t.Errorf("an empty directory gives %q, want []", got)
	}
	s.refuse(wire.NotADirectory, "GET", "/list", "directory/b")
	s.refuse(wire.FileNotFound, "GET", "/list", "absent")
}

func TestListRefusesMoreThanItsLimit(t *testing.T) {
	directory := t.TempDir()
	for index := 0; index < 4; index++ {
		must(t, os.WriteFile(filepath.Join(directory, fmt.Sprint(index)), nil, 0o644))
	}
	if names, err := readNames(directory, 4); err != nil || len(names) != 4 {
		t.Errorf("got %v, %v", names, err)
	}
	_, err := readNames(directory, 3)
	if got := wire.FromFileSystem(directory, err).Code; got != wire.DirectoryTooLarge {
		t.Errorf("got %s, want %s", got, wire.DirectoryTooLarge)
	}
}

func TestMakeDirectoryCreatesParentsAndAcceptsAnExistingOne(t *testing.T) {
	s := newSandbox(t)
	for round := 0; round < 2; round++ {
		s.require(204, "POST", "/mkdir", "a/b/c", "")
	}
	for _, path := range []string{"a", "a/b", "a/b/c"} {
		if uid, mode := s.owner(path); uid != 1000 || mode != 0o755 {
			t.Errorf("%s has owner %d and mode %v, want 1000 and 0755", path, uid, mode)
		}
	}
	s.require(204, "PUT", "/files", "file", "")
	s.refuse(wire.FileExists, "POST", "/mkdir", "file")
	s.refuse(wire.NotADirectory, "POST", "/mkdir", "file/below")
}
