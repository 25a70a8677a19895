package files

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"syscall"

	"opencomputer/guest-agent/internal/account"
	"opencomputer/guest-agent/internal/wire"
)

// writeBytes is how much is written at a time: whole pages, however the network
// splits the body.
const writeBytes = 256 * 1024

// placement is the owner and mode of a written file.
type placement struct {
	userID, groupID int
	mode            os.FileMode
}

// write writes all of source to path, or changes nothing: it fills a temporary
// file in the same directory and renames it. An existing file keeps its owner and
// mode; a new one belongs to the sandbox's user.
func (s *Service) write(path string, source io.Reader) error {
	owner, err := s.accounts.Find(s.user)
	if err != nil {
		return err
	}
	target, err := followLinks(path)
	if err != nil {
		return err
	}
	place, err := placementAt(target, owner)
	if err != nil {
		return err
	}
	if err := makeDirectories(filepath.Dir(target), owner); err != nil {
		return err
	}
	temporary, err := createTemporary(filepath.Dir(target))
	if err != nil {
		return wire.FromFileSystem(target, err)
	}
	err = fill(temporary, source, place)
	if err == nil {
		err = os.Rename(temporary.Name(), target)
	}
	if err != nil {
		return discard(temporary.Name(), wire.FromFileSystem(target, err))
	}
	return nil
}

func placementAt(target string, owner account.Account) (placement, error) {
	place := placement{userID: int(owner.UserID), groupID: int(owner.GroupID), mode: 0o644}
	information, err := os.Lstat(target)
	if errors.Is(err, fs.ErrNotExist) {
		return place, nil
	}
	if err != nil {
		return place, wire.FromFileSystem(target, err)
	}
	if err := checkRegular(target, information); err != nil {
		return place, err
	}
	if status, ok := information.Sys().(*syscall.Stat_t); ok {
		place.userID, place.groupID = int(status.Uid), int(status.Gid)
		place.mode = information.Mode() & (os.ModePerm | os.ModeSetuid | os.ModeSetgid | os.ModeSticky)
	}
	return place, nil
}

func createTemporary(directory string) (*os.File, error) {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, fmt.Errorf("cannot create a random name: %w", err)
	}
	path := filepath.Join(directory, ".upload-"+hex.EncodeToString(random[:]))
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
}

// fill writes source to the file, sets its owner and mode, and closes it.
func fill(file *os.File, source io.Reader, place placement) error {
	blocks := bufio.NewWriterSize(file, writeBytes)
	_, err := blocks.ReadFrom(bodyReader{source})
	if err == nil {
		err = blocks.Flush()
	}
	if err == nil {
		err = file.Chown(place.userID, place.groupID)
	}
	if err == nil {
		err = file.Chmod(place.mode)
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return err
}

// bodyReader marks errors of the body, to distinguish them from those of the disk.
type bodyReader struct{ source io.Reader }

func (r bodyReader) Read(data []byte) (int, error) {
	count, err := r.source.Read(data)
	if err != nil && err != io.EOF {
		err = wire.Errorf(wire.InvalidRequest, "the upload is incomplete, and nothing was changed: %v", err)
	}
	return count, err
}

func discard(temporary string, reason error) error {
	if err := os.Remove(temporary); err != nil {
		log.Printf("cannot delete a temporary file: %v", err)
	}
	return reason
}
