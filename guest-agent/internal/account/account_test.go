package account

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func newFiles(t *testing.T) (passwd, group string) {
	directory := t.TempDir()
	passwd, group = filepath.Join(directory, "passwd"), filepath.Join(directory, "group")
	write(t, passwd, "root:x:0:0:root:/root:/bin/bash\nbroken\nsandbox:x:1000:1001::/home/sandbox:/bin/bash\n")
	write(t, group, "root:x:0:\nsudo:x:27:other,sandbox\nsandboxes:x:30:other\nsandbox:x:1001:\n")
	return passwd, group
}

func TestFindReadsNumbersHomeAndSupplementaryGroups(t *testing.T) {
	got, err := NewBook(newFiles(t)).Find("sandbox")
	if err != nil {
		t.Fatal(err)
	}
	want := Account{Name: "sandbox", UserID: 1000, GroupID: 1001, GroupIDs: []uint32{27}, Home: "/home/sandbox"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestFindReadsAGroupThatTheUserJoinsLater(t *testing.T) {
	passwd, group := newFiles(t)
	book := NewBook(passwd, group)
	if _, err := book.Find("sandbox"); err != nil {
		t.Fatal(err)
	}
	write(t, group, "sudo:x:27:sandbox\ndocker:x:999:sandbox\n")
	got, err := book.Find("sandbox")
	if err != nil {
		t.Fatal(err)
	}
	if want := []uint32{27, 999}; !reflect.DeepEqual(got.GroupIDs, want) {
		t.Errorf("got groups %v, want %v", got.GroupIDs, want)
	}
}

func TestFindFailsForAUserThatDoesNotExist(t *testing.T) {
	if _, err := NewBook(newFiles(t)).Find("nobody"); err == nil {
		t.Error("found a user that no line names")
	}
}
