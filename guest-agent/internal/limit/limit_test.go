package limit

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestSharedLimitsAreThoseOfTheProtocol(t *testing.T) {
	text, err := os.ReadFile("../../../packages/protocol/src/api/limits.ts")
	if err != nil {
		t.Fatal(err)
	}
	shared := map[string]int{
		"cpuCountMax":                  CPUCountMax,
		"commandArgumentsMax":          CommandArgumentsMax,
		"commandTimeoutSecondsMax":     CommandTimeoutSecondsMax,
		"commandOutputBytesMax":        CommandOutputBytesMax,
		"commandsPerSandboxMax":        CommandsPerSandboxMax,
		"sessionReplayBytesMax":        SessionReplayBytesMax,
		"finishedSessionsMax":          FinishedSessionsMax,
		"finishedSessionBytesTotalMax": FinishedSessionBytesTotalMax,
		"attachedClientsMax":           AttachedClientsMax,
		"terminalsPerSandboxMax":       TerminalsPerSandboxMax,
		"terminalSizeMax":              TerminalSizeMax,
		"terminalReplayBytesMax":       TerminalReplayBytesMax,
		"sessionCommandBytesShownMax":  SessionCommandBytesShownMax,
		"sessionResultWaitSecondsMax":  SessionResultWaitSecondsMax,
		"pathBytesMax":                 PathBytesMax,
		"directoryEntriesMax":          DirectoryEntriesMax,
		"environmentBytesTotalMax":     EnvironmentBytesTotalMax,
		"tunnelsPerSandboxMax":         TunnelsPerSandboxMax,
		"tunnelHalfOpenSecondsMax":     TunnelHalfOpenSecondsMax,
		"restartedSessionsMax":         RestartedSessionsMax,
		"forkHooksMax":                 ForkHooksMax,
		"forkHooksTimeoutSecondsMax":   ForkHooksTimeoutSecondsMax,
		"forkHooksFailureBytesMax":     ForkHooksFailureBytesMax,
	}
	for name, here := range shared {
		match := regexp.MustCompile(`(?m)^  ` + name + `: ([0-9_* ]+),$`).FindStringSubmatch(string(text))
		if match == nil {
			t.Errorf("the protocol has no limit %s", name)
			continue
		}
		if there := product(t, match[1]); there != here {
			t.Errorf("%s is %d here and %d in the protocol", name, here, there)
		}
	}
}

func product(t *testing.T, expression string) int {
	result := 1
	for _, factor := range strings.Split(expression, "*") {
		number, err := strconv.Atoi(strings.ReplaceAll(strings.TrimSpace(factor), "_", ""))
		if err != nil {
			t.Fatal(err)
		}
		result *= number
	}
	return result
}
