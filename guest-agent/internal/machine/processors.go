package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"opencomputer/guest-agent/internal/limit"
)

const (
	kernelProcessors = "/sys/devices/system/cpu"
	// The kernel shows a hot-plugged processor after a short delay.
	plugWaitMax  = 2 * time.Second
	plugWaitStep = 5 * time.Millisecond
)

// bringProcessorsOnline switches exactly count processors on, or as many as exist
// after wait, and returns their number. The first one cannot be switched off. The
// directory is that of sysfs.
func bringProcessorsOnline(directory string, count int, wait time.Duration) (int, error) {
	online := 0
	deadline := time.Now().Add(wait)
	for number := 0; number < limit.CPUCountMax; number++ {
		present, err := switchProcessor(directory, number, online < count)
		for err == nil && !present && online < count && time.Now().Before(deadline) {
			time.Sleep(plugWaitStep)
			present, err = switchProcessor(directory, number, true)
		}
		if err != nil {
			return 0, err
		}
		if present && online < count {
			online++
		}
	}
	return online, nil
}

// switchProcessor switches one processor on or off and reports whether it exists.
func switchProcessor(directory string, number int, on bool) (present bool, err error) {
	if number == 0 {
		return true, nil
	}
	file, err := os.OpenFile(directory+"/cpu"+strconv.Itoa(number)+"/online", os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot switch processor %d: %w", number, err)
	}
	defer file.Close()
	wanted := byte('0')
	if on {
		wanted = '1'
	}
	var state [2]byte
	if _, err := file.ReadAt(state[:1], 0); err != nil {
		return false, fmt.Errorf("cannot read the state of processor %d: %w", number, err)
	}
	if state[0] == wanted {
		return true, nil
	}
	if _, err := file.WriteAt([]byte{wanted}, 0); err != nil {
		return false, fmt.Errorf("cannot switch processor %d: %w", number, err)
	}
	return true, nil
}
