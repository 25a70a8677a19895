package environment

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func open(t *testing.T, image, savePath string) (*Store, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "environment")
	if err := os.WriteFile(path, []byte(image), 0o644); err != nil {
		t.Fatal(err)
	}
	return Open(path, savePath)
}

func TestForPrefersLaterLayers(t *testing.T) {
	store, err := open(t, "A=image\nB=image\nC=image\nD=image\n", filepath.Join(t.TempDir(), "saved"))
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Configure(map[string]string{"C": "configured", "D": "configured"}); err != nil {
		t.Fatal(err)
	}
	got := store.For(map[string]string{"B": "account", "C": "account"}, map[string]string{"D": "command"})
	want := map[string]string{"A": "image", "B": "account", "C": "configured", "D": "command"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestConfigureReplacesWhatWasConfigured(t *testing.T) {
	store, err := open(t, "", filepath.Join(t.TempDir(), "saved"))
	if err != nil {
		t.Fatal(err)
	}
	for _, variables := range []map[string]string{{"OLD": "1"}, {"NEW": "2"}} {
		if err := store.Configure(variables); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := store.For(nil, nil), (map[string]string{"NEW": "2"}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestOpenReadsWhatAnEarlierAgentSaved(t *testing.T) {
	savePath := filepath.Join(t.TempDir(), "saved")
	first, err := open(t, "A=image=1\n", savePath)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Configure(map[string]string{"TOKEN": "t"}); err != nil {
		t.Fatal(err)
	}
	second, err := open(t, "A=image=1\n", savePath)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := second.For(nil, nil), (map[string]string{"A": "image=1", "TOKEN": "t"}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	information, err := os.Stat(savePath)
	if err != nil {
		t.Fatal(err)
	}
	if information.Mode().Perm() != 0o600 {
		t.Errorf("the saved environment has mode %v, want 0600", information.Mode().Perm())
	}
}

func TestOpenRefusesALineWithoutAVariable(t *testing.T) {
	if _, err := open(t, "A=1\nnonsense\n", filepath.Join(t.TempDir(), "saved")); err == nil {
		t.Error("took a line without =")
	}
}
