// Package account looks up the user that commands run as.
package account

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Account is a user with the ids that the kernel uses.
type Account struct {
	Name    string
	UserID  uint32
	GroupID uint32
	// GroupIDs are the supplementary groups.
	GroupIDs []uint32
	Home     string
}

// Root is the account of commands that the worker itself runs.
var Root = Account{Name: "root", Home: "/root"}

// Book looks up accounts. It reads the files again when they change, so a user
// who was added to a group is in it for the next command.
type Book struct {
	passwdPath, groupPath string

	mutex   sync.Mutex
	name    string
	known   Account
	version [2]fileVersion
}

type fileVersion struct {
	modified time.Time
	size     int64
}

// NewBook reads accounts from files in the form of passwd(5) and group(5).
func NewBook(passwdPath, groupPath string) *Book {
	return &Book{passwdPath: passwdPath, groupPath: groupPath}
}

// Find returns the account of a user name.
func (b *Book) Find(name string) (Account, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	version, err := b.currentVersion()
	if err != nil {
		return Account{}, err
	}
	if b.name == name && b.version == version {
		return b.known, nil
	}
	found, err := readAccount(b.passwdPath, b.groupPath, name)
	if err != nil {
		return Account{}, err
	}
	b.name, b.known, b.version = name, found, version
	return found, nil
}

func (b *Book) currentVersion() ([2]fileVersion, error) {
	var version [2]fileVersion
	for index, path := range []string{b.passwdPath, b.groupPath} {
		information, err := os.Stat(path)
		if err != nil {
			return version, fmt.Errorf("cannot look up accounts: %w", err)
		}
		version[index] = fileVersion{modified: information.ModTime(), size: information.Size()}
	}
	return version, nil
}

func readAccount(passwdPath, groupPath, name string) (Account, error) {
	found := Account{Name: name}
	exists := false
	err := eachLine(passwdPath, func(fields []string) {
		if exists || len(fields) < 6 || fields[0] != name {
			return
		}
		userID, userErr := strconv.ParseUint(fields[2], 10, 32)
		groupID, groupErr := strconv.ParseUint(fields[3], 10, 32)
		if userErr != nil || groupErr != nil {
			return
		}
		found.UserID, found.GroupID, found.Home = uint32(userID), uint32(groupID), fields[5]
		exists = true
	})
	if err != nil {
		return found, err
	}
	if !exists {
		return found, fmt.Errorf("%s has no user %q: the guest's accounts were changed", passwdPath, name)
	}
	err = eachLine(groupPath, func(fields []string) {
		if len(fields) < 4 {
			return
		}
		groupID, err := strconv.ParseUint(fields[2], 10, 32)
		if err != nil {
			return
		}
		for _, member := range strings.Split(fields[3], ",") {
			if member == name {
				found.GroupIDs = append(found.GroupIDs, uint32(groupID))
			}
		}
	})
	return found, err
}

func eachLine(path string, visit func(fields []string)) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot look up accounts: %w", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		visit(strings.Split(lines.Text(), ":"))
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("cannot read %s: %w", path, err)
	}
	return nil
}
